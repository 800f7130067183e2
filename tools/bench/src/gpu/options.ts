// Pure: the command line of the GPU benchmark.

import { OptionError } from 'deepgemm'
import { list, notEmpty, understood, wholeNumber } from '../command-line.js'
import { type GpuCase, gpuCase, gpuCases } from './cases.js'

const PEERS = ['deepgemm', 'cublaslt'] as const
export type PeerName = (typeof PEERS)[number]

export type GpuOptions = {
  /** Where the JSON goes; undefined: nowhere. */
  readonly out: string | undefined
  readonly quick: boolean
  readonly cases: readonly GpuCase[]
  readonly peers: readonly PeerName[]
  /** The Python that runs the peers; undefined: the first python3 on the PATH. */
  readonly python: string | undefined
  readonly rounds: number
  /** Replays of every graph in every round. */
  readonly replays: number
  /** What is measured, where git is not there to tell. */
  readonly commit: string | undefined
}

export const GPU_USAGE: string = `usage: node tools/bench/dist/main.js gpu [options]

  --out <file>        write the results as JSON
  --quick             three shapes, one round of 3 replays: does everything work?
  --only <M,N,K>      this product alone, wgrad:M,N,K for a gradient; may be given several times
  --peers <list>      of ${PEERS.join(',')} (default both), or none
  --python <file>     the Python that has the peers (default: python3 on the PATH)
  --rounds <count>    turns of every contestant (default 3)
  --replays <count>   replays of a graph in each turn (default 15)
  --commit <id>       what is measured, where there is no git
  --debug             show the stack of an error

DEEPGEMM_PEER_PATH names the folder that has the Python package deep_gemm.
`

const OPTIONS = {
  out: { type: 'string' },
  quick: { type: 'boolean' },
  only: { type: 'string', multiple: true },
  peers: { type: 'string' },
  python: { type: 'string' },
  rounds: { type: 'string' },
  replays: { type: 'string' },
  commit: { type: 'string' },
  debug: { type: 'boolean' },
} as const

const GRADIENT = 'wgrad:'
const MOST_ROUNDS = 100
const MOST_REPLAYS = 1000
const MOST_EXTENT = 2 ** 31 - 1

/** @throws {OptionError} for anything that is not understood. */
export function parseGpuOptions(args: readonly string[]): GpuOptions {
  const { values, positionals } = understood(args, OPTIONS)
  if (positionals.length !== 1) {
    throw new OptionError('The command line is not understood', {
      given: positionals.join(' '),
      allowed: 'gpu and options',
    })
  }
  const quick = values.quick === true
  return {
    out: notEmpty('--out', values.out, 'a file'),
    quick,
    cases: values.only?.map(onlyCase) ?? gpuCases(quick),
    peers: peerList(values.peers ?? PEERS.join(',')),
    python: notEmpty('--python', values.python, 'a file'),
    rounds: wholeNumber('--rounds', values.rounds ?? (quick ? '1' : '3'), MOST_ROUNDS),
    replays: wholeNumber('--replays', values.replays ?? (quick ? '3' : '15'), MOST_REPLAYS),
    commit: notEmpty('--commit', values.commit, 'a commit'),
  }
}

/** `M,N,K`, or `wgrad:M,N,K` for a gradient that is not among the usual ones. */
function onlyCase(text: string): GpuCase {
  const isGradient = text.startsWith(GRADIENT)
  const extents = (isGradient ? text.slice(GRADIENT.length) : text).split(',')
  if (extents.length !== 3) {
    throw new OptionError('The option --only has a wrong value', {
      given: text === '' ? 'nothing' : text,
      allowed: 'M,N,K such as 64,4096,7168, or wgrad:M,N,K',
    })
  }
  const sizes = extents.map((extent) => wholeNumber('--only', extent, MOST_EXTENT))
  const [m, n, k] = sizes as [number, number, number]
  return isGradient ? { problem: 'wgrad', m, n, k } : gpuCase(m, n, k)
}

function peerList(text: string): readonly PeerName[] {
  if (text === 'none') return []
  return list(text).map((name) => {
    const found = PEERS.find((peer) => peer === name)
    if (found !== undefined) return found
    throw new OptionError('The option --peers has a wrong value', {
      given: name === '' ? 'nothing' : name,
      allowed: `${PEERS.join(', ')}, or none`,
    })
  })
}
