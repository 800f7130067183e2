// The form of the JSON of a benchmark of grouped products, its rows and its table.

import type { GroupLayout } from '@deepgemm/core'
import type { GpuMeta } from '../report.js'
import { checkedFacts, type GpuSamples, geometricMean, middle, type ProductFacts } from '../rows.js'
import { type Column, fixed, over, table } from '../tables.js'
import { GROUP_LAYOUTS, groupedFlops, type LayerCase, type MoeCase } from './cases.js'

export type MoeRow = MoeCase & {
  readonly ours_us: number
  /** DeepGEMM's padded contiguous product beside a packed one; null where it was not there. */
  readonly deepgemm_us: number | null
  /** A block-scaled product of cuBLASLt per group, one after another; null where there is none. */
  readonly cublaslt_us: number | null
  readonly max_error: number | null
  readonly config: string
}

/** The whole layer: routing, permutation, both products, SwiGLU, casts and combination. */
export type LayerRow = LayerCase & {
  /** Experts that have tokens, on average over the routings. */
  readonly touched: number
  readonly ours_us: number
  /** The two grouped products alone, in the layer's own layout. */
  readonly parts_us: number
  /** Bulk copies of the weights of the touched experts; null for batches that they do not bound. */
  readonly floor_us: number | null
  /** The layer put together from PyTorch's operations, and from Triton's kernels. */
  readonly torch_us: number | null
  readonly triton_us: number | null
}

export type MoeReport = {
  readonly meta: GpuMeta
  readonly rows: readonly (MoeRow | LayerRow)[]
}

export const MOE_METHOD: string = [
  'graph_rotating, as for dense products: CUDA graphs of at least 20 launches that rotate among',
  'copies of operands and outputs totalling over 160 MB, timed with events and divided by the',
  'launches; ours and DeepGEMM take turns in every round, and a figure is the median over all',
  'replays of all rounds. Groups have 0.7 to 1.3 times the expected size, the same for both. Ours:',
  'planGroupedGemm and plan.run of the public API, groupsReady; the group data lies on the device.',
  'Beside packed',
  'products DeepGEMM runs its contiguous layout, with every group padded to 128 rows. cuBLASLt: one',
  'block-scaled product per group after another, through PyTorch, the sizes known to the host and',
  'rounded up to 16 rows. k-grouped',
  'products are added to f32; k is the expected K of a group and expected_m the rows of an output.',
  'A layer is MoeLayer.run on expected_m tokens in bf16, top 8 of even random routings that runs take',
  'in turn, 20 runs enqueued behind a pause; n is its hidden and k its intermediate extent; parts_us',
  'is the sum of the medians of its two grouped products. PyTorch: operations of its own around',
  'torch._scaled_grouped_mm, with one scale per row of either operand; Triton: kernels with 1x128 and',
  '128x128 scales in peers/gpu_layer_triton.py; both in CUDA graphs, on random routings of their own.',
].join(' ')

export const MOE_COMPARED: string = [
  'max_error compares every row of every group of one output of ours, poisoned with NaN beforehand,',
  'with the product of the dequantised operands summed on the GPU by a plain kernel of the',
  'benchmark. Peers run on operands of the same distribution and are null when their error against',
  'an f32 product, or a few tokens of the layer in f32 with the same casts, is above 1e-4.',
].join(' ')

export function moeRow(item: MoeCase, samples: GpuSamples, facts: ProductFacts): MoeRow {
  return {
    ...item,
    ours_us: middle(samples.ours) as number,
    deepgemm_us: middle(samples.deepgemm),
    cublaslt_us: middle(samples.cublaslt),
    ...checkedFacts(facts),
  }
}

export function layerRow(
  item: LayerCase,
  touched: number,
  times: {
    readonly ours?: readonly number[]
    readonly parts: number
    readonly floor?: readonly number[]
    readonly torch_layer?: readonly number[]
    readonly triton_layer?: readonly number[]
  },
): LayerRow {
  return {
    ...item,
    touched,
    ours_us: middle(times.ours) as number,
    parts_us: Number(times.parts.toFixed(3)),
    floor_us: middle(times.floor),
    torch_us: middle(times.torch_layer),
    triton_us: middle(times.triton_layer),
  }
}

/** The rows of grouped products, and those of layers. */
export function rowsByKind(rows: MoeReport['rows']): {
  readonly products: readonly MoeRow[]
  readonly layers: readonly LayerRow[]
} {
  return {
    products: rows.filter((row) => row.problem !== 'layer'),
    layers: rows.filter((row) => row.problem === 'layer'),
  }
}

type MeanRow = {
  readonly problem: GroupLayout
  readonly mean: number | null
  readonly worst: number
  readonly cublaslt: number | null
}

/** Time of the peers over ours, by layout. */
export function layoutMeans(rows: readonly MoeRow[]): MeanRow[] {
  return GROUP_LAYOUTS.flatMap((problem) => {
    const mine = rows.filter((row) => row.problem === problem)
    const over = (peer: 'deepgemm_us' | 'cublaslt_us'): number[] =>
      mine.flatMap((row) => (row[peer] === null ? [] : row[peer] / row.ours_us))
    const ratios = over('deepgemm_us')
    if (ratios.length === 0) return []
    const cublaslt = geometricMean(over('cublaslt_us'))
    return { problem, mean: geometricMean(ratios), worst: Math.min(...ratios), cublaslt }
  })
}

const ROWS: readonly Column<MoeRow>[] = [
  ['layout', (row) => row.problem],
  ['groups x M', ({ groups, expected_m }) => `${groups}x${expected_m}`],
  ['N x K', ({ n, k }) => `${n}x${k}`],
  ['ours us', (row) => fixed(row.ours_us, 2)],
  ['DeepGEMM', (row) => fixed(row.deepgemm_us, 2)],
  ['x', (row) => over(row.deepgemm_us, row.ours_us)],
  ['cuBLASLt', (row) => fixed(row.cublaslt_us, 1)],
  ['x', (row) => over(row.cublaslt_us, row.ours_us)],
  ['TFLOP/s', (row) => fixed(groupedFlops(row) / row.ours_us / 1e6, 0)],
  ['error', (row) => row.max_error?.toExponential(1) ?? 'NaN'],
  ['config', (row) => row.config],
]

const MEANS: readonly Column<MeanRow>[] = [
  ['geometric means', (row) => row.problem],
  ['x DeepGEMM', (row) => fixed(row.mean, 3)],
  ['worst', (row) => fixed(row.worst, 2)],
  ['x cuBLASLt', (row) => fixed(row.cublaslt, 3)],
]

const LAYERS: readonly Column<LayerRow>[] = [
  ['layer', ({ groups, n, k }) => `${groups} experts, ${n}x${k}`],
  ['tokens', (row) => row.expected_m],
  ['touched', (row) => row.touched],
  ['ours us', (row) => fixed(row.ours_us, 1)],
  ['products', (row) => fixed(row.parts_us, 1)],
  ['x products', (row) => over(row.ours_us, row.parts_us)],
  ['floor', (row) => fixed(row.floor_us, 1)],
  ['x floor', (row) => over(row.ours_us, row.floor_us)],
  ['PyTorch', (row) => fixed(row.torch_us, 0)],
  ['x', (row) => over(row.torch_us, row.ours_us)],
  ['Triton', (row) => fixed(row.triton_us, 0)],
  ['x', (row) => over(row.triton_us, row.ours_us)],
]

export function moeTables({ meta, rows }: MoeReport): string {
  const { products, layers } = rowsByKind(rows)
  return [
    `${meta.device}, driver ${meta.driver ?? 'unknown'}, commit ${meta.commit}\n`,
    ...(products.length > 0 ? [table(ROWS, products), table(MEANS, layoutMeans(products))] : []),
    ...(layers.length > 0 ? [table(LAYERS, layers)] : []),
  ].join('\n')
}
