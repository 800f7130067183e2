// Pure: the command line of the CPU benchmark.

import { OptionError } from 'deepgemm'
import { list, notEmpty, understood, wholeNumber } from './command-line.js'

export const SECTIONS = ['gemm', 'casts', 'overhead', 'grouped', 'event-loop'] as const
type Section = (typeof SECTIONS)[number]

export type BenchOptions = {
  readonly target: 'cpu'
  /** Where the JSON goes; undefined: nowhere. */
  readonly out: string | undefined
  readonly quick: boolean
  readonly pairs: number
  readonly threads: readonly number[]
  readonly sections: readonly Section[]
  /** Whether other libraries that are installed take part. */
  readonly peers: boolean
}

export const USAGE: string = `usage: node tools/bench/dist/main.js cpu [options]

  --out <file>        write the results as JSON
  --quick             tiny sizes and 3 pairs: does everything work? The figures say nothing
  --pairs <count>     pairs of samples per comparison (default 9)
  --threads <list>    thread counts, as 1,2 (default)
  --sections <list>   of ${SECTIONS.join(',')} (default all)
  --no-peers          leave other libraries out
  --debug             show the stack of an error
`

const OPTIONS = {
  out: { type: 'string' },
  quick: { type: 'boolean' },
  pairs: { type: 'string' },
  threads: { type: 'string' },
  sections: { type: 'string' },
  'no-peers': { type: 'boolean' },
  debug: { type: 'boolean' },
} as const

const MOST_PAIRS = 1000
const MOST_THREADS = 1024

/** @throws {OptionError} for anything that is not understood. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values, positionals } = understood(args, OPTIONS)
  if (positionals.length !== 1 || positionals[0] !== 'cpu') {
    throw new OptionError('What is to be measured is not clear', {
      given: positionals.join(' ') || 'nothing',
      allowed: 'cpu, gpu or gpu-moe',
      remedy: '--help explains the options.',
    })
  }
  const quick = values.quick === true
  return {
    target: 'cpu',
    out: notEmpty('--out', values.out, 'a file'),
    quick,
    pairs: wholeNumber('--pairs', values.pairs ?? (quick ? '3' : '9'), MOST_PAIRS),
    threads: list(values.threads ?? '1,2').map((text) =>
      wholeNumber('--threads', text, MOST_THREADS),
    ),
    sections: list(values.sections ?? SECTIONS.join(',')).map(section),
    peers: values['no-peers'] !== true,
  }
}

function section(text: string): Section {
  const found = SECTIONS.find((name) => name === text)
  if (found !== undefined) return found
  throw new OptionError('The option --sections has a wrong value', {
    given: text === '' ? 'nothing' : text,
    allowed: SECTIONS.join(', '),
  })
}
