// Pure: two results beside one another, with what the difference may be worth.

import { type Interval, medianInterval } from './noise.js'
import { caseKey, type SuiteCase } from './problem.js'
import { OURS, type SuiteResult, type SuiteRow } from './result.js'

export type Verdict = 'faster' | 'slower' | 'within the noise'

export type ComparedRow = SuiteCase & {
  readonly before_us: number
  readonly after_us: number
  /** Time before over time after: above 1 it became faster. */
  readonly ratio: Interval
  readonly verdict: Verdict
}

/** Something that nobody changed, in both results: what it moved by is the machine's doing. */
export type Drift = { readonly name: string; readonly ratio: number; readonly rows: number }

export type Comparison = {
  readonly rows: readonly ComparedRow[]
  /** Geometric mean of the ratios; null without rows. */
  readonly mean: number | null
  readonly drifts: readonly Drift[]
  /** The most that anything unchanged moved by, as a factor of at least 1: noise between runs. */
  readonly drift: number
  /** What stands in the way of a fair comparison. */
  readonly warnings: readonly string[]
  /** Products that only one of the two has. */
  readonly unmatched: number
}

/** A difference counts when it is beyond the noise within the runs and the drift between them. */
export function compareResults(before: SuiteResult, after: SuiteResult): Comparison {
  const pairs = pairsOf(before, after)
  const drifts = driftsOf(before, after, pairs)
  const drift = Math.max(1, ...drifts.map(({ ratio }) => Math.max(ratio, 1 / ratio)))
  const rows = pairs.map(([a, b]) => comparedRow(a, b, drift))
  const ratios = rows.map(({ ratio }) => ratio.middle)
  return {
    rows,
    mean: ratios.length === 0 ? null : geometricMean(ratios),
    drifts,
    drift,
    warnings: warningsOf(before, after),
    unmatched: before.rows.length + after.rows.length - 2 * pairs.length,
  }
}

type Pair = readonly [SuiteRow, SuiteRow]

function pairsOf(before: SuiteResult, after: SuiteResult): readonly Pair[] {
  const known = new Map(before.rows.map((row) => [caseKey(row), row]))
  return after.rows.flatMap((row): Pair[] => {
    const match = known.get(caseKey(row))
    known.delete(caseKey(row))
    return match === undefined ? [] : [[match, row]]
  })
}

function comparedRow(before: SuiteRow, after: SuiteRow, drift: number): ComparedRow {
  const [a, b] = [before, after].map((row) => medianInterval(row.figures[OURS]?.us ?? [])) as [
    Interval,
    Interval,
  ]
  const ratio = { middle: a.middle / b.middle, low: a.low / b.high, high: a.high / b.low }
  const { layer, problem, m, n, k, groups } = after
  const verdict = verdictOf({ ...ratio, low: ratio.low / drift, high: ratio.high * drift })
  return {
    ...{ layer, problem, m, n, k, groups },
    ...{ before_us: a.middle, after_us: b.middle, ratio, verdict },
  }
}

function verdictOf({ low, high }: Interval): Verdict {
  if (low > 1) return 'faster'
  return high < 1 ? 'slower' : 'within the noise'
}

/** Peers of the same version, and the time to read weights. */
function driftsOf(before: SuiteResult, after: SuiteResult, pairs: readonly Pair[]): Drift[] {
  const drifts: Drift[] = []
  const add = (name: string, samples: (row: SuiteRow) => readonly number[] | undefined): void => {
    const ratios = pairs.flatMap(([a, b]) => {
      const [x, y] = [samples(a) ?? [], samples(b) ?? []]
      if (x.length === 0 || y.length === 0) return []
      return [medianInterval(x).middle / medianInterval(y).middle]
    })
    if (ratios.length > 0) drifts.push({ name, ratio: geometricMean(ratios), rows: ratios.length })
  }
  add('reading the weights', (row) => row.floor_us)
  for (const [name, { label, version }] of Object.entries(before.contestants)) {
    const isSame = after.contestants[name]?.version === version
    if (name !== OURS && isSame) add(label, (row) => row.figures[name]?.us)
  }
  return drifts
}

function warningsOf(before: SuiteResult, after: SuiteResult): string[] {
  const differ = (['device', 'parallelism', 'driver', 'clocks', 'os'] as const).filter(
    (name) => before.meta[name] !== after.meta[name],
  )
  return differ.map(
    (name) =>
      `${name} differs: ${before.meta[name] ?? 'not known'}, then ${after.meta[name] ?? 'not known'}`,
  )
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
}
