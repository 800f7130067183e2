// The form of the JSON of a benchmark of grouped products, its rows and its table.

import type { GroupLayout } from '@deepgemm/core'
import type { GpuMeta } from '../report.js'
import { checkedFacts, type GpuSamples, geometricMean, middle, type ProductFacts } from '../rows.js'
import { type Column, fixed, over, table } from '../tables.js'
import { GROUP_LAYOUTS, groupedFlops, type MoeCase } from './cases.js'

export type MoeRow = MoeCase & {
  readonly ours_us: number
  /** DeepGEMM's padded contiguous product beside a packed one; null where it was not there. */
  readonly deepgemm_us: number | null
  readonly max_error: number | null
  readonly config: string
}

export type MoeReport = { readonly meta: GpuMeta; readonly rows: readonly MoeRow[] }

export const MOE_METHOD: string = [
  'graph_rotating, as for dense products: CUDA graphs of at least 20 launches that rotate among',
  'copies of operands and outputs totalling over 160 MB, timed with events and divided by the',
  'launches; ours and DeepGEMM take turns in every round, and a figure is the median over all',
  'replays of all rounds. Groups have 0.7 to 1.3 times the expected size, the same for both. Ours:',
  'planGroupedGemm and plan.run of the public API; the group data lies on the device. Beside packed',
  'products DeepGEMM runs its contiguous layout, with every group padded to 128 rows. k-grouped',
  'products are added to f32; k is the expected K of a group and expected_m the rows of an output.',
].join(' ')

export const MOE_COMPARED: string = [
  'max_error compares every row of every group of one output of ours, poisoned with NaN beforehand,',
  'with the product of the dequantised operands summed on the GPU by a plain kernel of the',
  'benchmark. DeepGEMM runs on operands of the same distribution and is null when its error against',
  'an f32 product is above 1e-4.',
].join(' ')

export function moeRow(item: MoeCase, samples: GpuSamples, facts: ProductFacts): MoeRow {
  return {
    ...item,
    ours_us: middle(samples.ours) as number,
    deepgemm_us: middle(samples.deepgemm),
    ...checkedFacts(facts),
  }
}

type MeanRow = {
  readonly problem: GroupLayout
  readonly mean: number | null
  readonly worst: number
}

/** Time of DeepGEMM over ours, by layout. */
export function layoutMeans(rows: readonly MoeRow[]): MeanRow[] {
  return GROUP_LAYOUTS.flatMap((problem) => {
    const ratios = rows.flatMap((row) =>
      row.problem === problem && row.deepgemm_us !== null ? row.deepgemm_us / row.ours_us : [],
    )
    if (ratios.length === 0) return []
    return { problem, mean: geometricMean(ratios), worst: Math.min(...ratios) }
  })
}

const ROWS: readonly Column<MoeRow>[] = [
  ['layout', (row) => row.problem],
  ['groups x M', ({ groups, expected_m }) => `${groups}x${expected_m}`],
  ['N x K', ({ n, k }) => `${n}x${k}`],
  ['ours us', (row) => fixed(row.ours_us, 2)],
  ['DeepGEMM', (row) => fixed(row.deepgemm_us, 2)],
  ['x', (row) => over(row.deepgemm_us, row.ours_us)],
  ['TFLOP/s', (row) => fixed(groupedFlops(row) / row.ours_us / 1e6, 0)],
  ['error', (row) => row.max_error?.toExponential(1) ?? 'NaN'],
  ['config', (row) => row.config],
]

const MEANS: readonly Column<MeanRow>[] = [
  ['geometric means', (row) => row.problem],
  ['x DeepGEMM', (row) => fixed(row.mean, 3)],
  ['worst', (row) => fixed(row.worst, 2)],
]

export function moeTables({ meta, rows }: MoeReport): string {
  return [
    `${meta.device}, driver ${meta.driver ?? 'unknown'}, commit ${meta.commit}\n`,
    table(ROWS, rows),
    table(MEANS, layoutMeans(rows)),
  ].join('\n')
}
