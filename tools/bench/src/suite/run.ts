// From a problem set to a result: every product in turn, resumed where an earlier sitting ended.

import { readFileSync } from 'node:fs'
import { release, type } from 'node:os'
import { join } from 'node:path'
import { commit, loads } from '../meta.js'
import { userCache } from '../native/folders.js'
import type { SuiteBench } from './bench.js'
import { formatErrors } from './formats.js'
import { Journal } from './journal.js'
import { caseKey, type ProblemSet, type SuiteCase } from './problem.js'
import { FORMAT, type SuiteMeta, type SuiteResult, type SuiteRow } from './result.js'

/** Who watches: all of it for a progress bar that knows the time left. */
export type SuiteWatcher = {
  /** What was measured before, and what the rest takes: only proportions mean anything. */
  begin(facts: { readonly rows: number; readonly known: number; readonly work: number }): void
  /** A product of so much work is next. */
  next(item: SuiteCase): void
  done(row: SuiteRow, work: number): void
}

export type SuiteRun = {
  readonly set: ProblemSet
  readonly rounds: number
  /** As the user wrote it. */
  readonly command: string
  /** Drops what an interrupted run left. */
  readonly fresh: boolean
  readonly signal: AbortSignal
  readonly watcher: SuiteWatcher
}

/** Measures on a bench that is open. @throws {DeepGemmError} and the signal's reason */
export async function runSuite(bench: SuiteBench, run: SuiteRun): Promise<SuiteResult> {
  const start = performance.now()
  const before = loads()
  const { version } = manifest()
  const sources = await commit(['kernels', 'packages', 'tools/bench'])
  const { contestants, facts } = bench
  const { set, rounds } = run
  const identity = [FORMAT, set, rounds, facts, contestants, version, sources]
  const journal = await Journal.open(join(userCache(), 'runs'), identity, run.fresh)
  let isDone = false
  try {
    const rows = await measureRows(bench, journal, run)
    const result: SuiteResult = {
      format: FORMAT,
      meta: {
        ...facts,
        ...{ set: set.name, source: set.source ?? null, rounds, command: run.command },
        ...{ os: `${type()} ${release()} ${process.arch}`, node: process.versions.node },
        ...{ version, commit: sources === 'unknown' ? null : sources, date: journal.date },
        seconds: Math.round((performance.now() - start) / 1000),
        sittings: journal.sittings,
        ...{ load_before: before, load_after: loads(), missing: bench.missing },
      } satisfies SuiteMeta,
      contestants,
      ceilings: await bench.ceilings(),
      formats: await formatErrors(),
      rows,
    }
    isDone = true
    return result
  } finally {
    await journal.close(isDone)
  }
}

async function measureRows(
  bench: SuiteBench,
  journal: Journal,
  { set, signal, watcher }: SuiteRun,
): Promise<readonly SuiteRow[]> {
  const isKnown = (item: SuiteCase): boolean => journal.rows.has(caseKey(item))
  const open = set.cases.filter((item) => !isKnown(item))
  const work = open.reduce((sum, item) => sum + bench.expectedSeconds(item), 0)
  watcher.begin({ rows: set.cases.length, known: set.cases.length - open.length, work })
  const rows: SuiteRow[] = []
  for (const item of set.cases) {
    const known = journal.rows.get(caseKey(item))
    if (known !== undefined) {
      rows.push(known)
      continue
    }
    signal.throwIfAborted()
    watcher.next(item)
    const row = await bench.measure(item)
    await journal.add(row)
    rows.push(row)
    watcher.done(row, bench.expectedSeconds(item))
  }
  return rows
}

function manifest(): { readonly version: string } {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
}
