// From options to a report: every section in turn, in one run.

import { loads, startMeta } from './meta.js'
import type { BenchOptions } from './options.js'
import { gemmCases, type Workload, workload } from './plan/cases.js'
import type { CastRow, EventLoopRow, GemmRow, GroupedRow, OverheadRow, Report } from './report.js'
import { measureCasts } from './sections/casts.js'
import { measureEventLoop } from './sections/event-loop.js'
import { measureGemm } from './sections/gemm.js'
import { measureGrouped } from './sections/grouped.js'
import { measureOverhead } from './sections/overhead.js'
import { Session } from './session.js'

export type BenchHost = {
  /** As the user wrote it. */
  readonly command: string
  readonly signal: AbortSignal
  /** Progress for a person. */
  readonly say: (line: string) => void
}

type Rows = {
  readonly rows: GemmRow[]
  readonly casts: CastRow[]
  readonly overhead: OverheadRow[]
  readonly grouped: GroupedRow[]
  readonly event_loop: EventLoopRow[]
}

type Step = { readonly title: string; run(session: Session, rows: Rows): Promise<void> }

/** Measures what the options ask for. @throws {NativeError | OptionError} and the signal's reason. */
export async function benchmark(options: BenchOptions, host: BenchHost): Promise<Report> {
  const { signal, say, command } = host
  const { pairs, quick } = options
  const session = await Session.open({ rounds: pairs, signal }, options.peers)
  try {
    const peers = Object.fromEntries(session.libraries.map(({ name, version }) => [name, version]))
    say(`peers: ${Object.entries(peers).flat().join(' ') || 'none'}`)
    const meta = await startMeta({ command, pairs, quick, peers })
    const rows: Rows = { rows: [], casts: [], overhead: [], grouped: [], event_loop: [] }
    const steps = stepsOf(options, workload(quick))
    for (const [i, step] of steps.entries()) {
      signal.throwIfAborted()
      say(`[${i + 1}/${steps.length}] ${step.title}`)
      await step.run(session, rows)
    }
    return { meta: { ...meta, load_after: loads() }, ...rows }
  } finally {
    await session.close()
  }
}

/** What is to be done, in order: all of one thread count before the next. */
export function stepsOf(options: BenchOptions, work: Workload): Step[] {
  const wants = new Set(options.sections)
  return options.threads.flatMap((threads) => {
    const all = [
      ...gemmSteps(threads, work).map((step) => ({ section: 'gemm' as const, step })),
      ...otherSteps(threads, work),
    ]
    return all.filter(({ section }) => wants.has(section)).map(({ step }) => step)
  })
}

function gemmSteps(threads: number, work: Workload): Step[] {
  return gemmCases(work, [threads]).map((item) => ({
    title: `${item.m}x${item.n}x${item.k}, ${named(threads)}${item.isa ? `, ${item.isa}` : ''}${item.prepacked ? ', prepacked' : ''}`,
    async run(session, { rows }) {
      const row = await measureGemm(session, item)
      if (row !== undefined) rows.push(row)
    },
  }))
}

function otherSteps(
  threads: number,
  work: Workload,
): { section: BenchOptions['sections'][number]; step: Step }[] {
  const on = named(threads)
  return [
    {
      section: 'casts',
      step: {
        title: `casts, ${on}`,
        run: async (session, { casts }) => {
          casts.push(...(await measureCasts(session, threads, work.cast)))
        },
      },
    },
    ...work.overhead.map((item) => ({
      section: 'overhead' as const,
      step: {
        title: `call overhead of ${item.shape.m}x${item.shape.n}x${item.shape.k}, ${on}`,
        run: async (session: Session, { overhead }: Rows) => {
          overhead.push(await measureOverhead(session, threads, item))
        },
      },
    })),
    ...work.grouped.map((item) => ({
      section: 'grouped' as const,
      step: {
        title: `${item.name}, ${on}`,
        run: async (session: Session, { grouped }: Rows) => {
          grouped.push(...(await measureGrouped(session, threads, item)))
        },
      },
    })),
    {
      section: 'event-loop',
      step: {
        title: `event loop, ${on}`,
        run: async (session, rows) => {
          rows.event_loop.push(await measureEventLoop(session, threads, work.eventLoop))
        },
      },
    },
  ]
}

function named(threads: number): string {
  return threads === 1 ? '1 thread' : `${threads} threads`
}
