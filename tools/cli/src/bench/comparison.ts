// Two results side by side, as lines for people. Pure.

import { type Comparison, caseText, relativeNoise, timesText, timeText } from '@deepgemm/bench'
import type { Column } from '../output/table.js'

const right = { align: 'right' } as const

export const HEADS: readonly Column[] = [
  { name: 'layer' },
  { name: 'M x N x K' },
  { name: 'before', ...right },
  { name: 'after', ...right },
  { name: 'faster by', ...right },
  { name: 'noise', ...right },
  { name: 'verdict' },
]

export function comparisonRows({ rows }: Comparison): string[][] {
  return rows.map((row) => [
    row.layer,
    caseText(row),
    timeText(row.before_us),
    timeText(row.after_us),
    timesText(row.ratio.middle),
    `± ${(100 * relativeNoise(row.ratio)).toFixed(1)} %`,
    row.verdict,
  ])
}

export function comparisonLines({ rows, mean, drifts, drift, unmatched }: Comparison): string[] {
  if (mean === null) return ['The two have no product in common']
  const count = (verdict: string): number => rows.filter((row) => row.verdict === verdict).length
  const only = unmatched === 0 ? [] : [`${unmatched} products are in only one of the two`]
  return [
    `${count('faster')} faster, ${count('slower')} slower, ${count('within the noise')} within the ` +
      `noise; in the geometric mean ${timesText(mean)} as fast as before`,
    ...drifts.map(
      ({ name, ratio, rows: products }) =>
        `what nobody changed: ${name} ${timesText(ratio)} as fast as before (${products} products)`,
    ),
    drifts.length === 0
      ? 'Nothing unchanged is in both: how much the machine differs between the runs is not known'
      : `A verdict needs more than the noise of both runs and this drift of ${timesText(drift)}`,
    ...only,
  ]
}
