// Pure: grouped products, and how their rows or slices of K spread over the groups.

import {
  BLOCK,
  CONTIGUOUS_ALIGNMENT,
  ceilDiv,
  contiguousGroups,
  type GroupLayout,
} from '@deepgemm/core'
import { packedOffsets } from 'deepgemm'

export const GROUP_LAYOUTS: readonly GroupLayout[] = ['contiguous', 'packed', 'masked', 'k-grouped']

export type MoeCase = {
  readonly problem: GroupLayout
  readonly groups: number
  /** Rows that a group is expected to have; in the k-grouped layout the rows of every output. */
  readonly expected_m: number
  readonly n: number
  /** In the k-grouped layout the K that a group is expected to have. */
  readonly k: number
}

/** The whole layer on `expected_m` tokens: N is the hidden extent, K the intermediate one. */
export type LayerCase = Omit<MoeCase, 'problem'> & { readonly problem: 'layer' }

type Shape = readonly [number, number]

/** N and K of the experts of DeepSeek-V3. */
const EXPERTS: readonly Shape[] = [
  [4096, 7168],
  [7168, 2048],
]
/** The same with gate and up apart: 256 experts fit twice. */
const MANY_EXPERTS: readonly Shape[] = [
  [2048, 7168],
  [7168, 2048],
]

const CONTIGUOUS: readonly Shape[] = [
  [4, 8192],
  [8, 4096],
  [32, 256],
]
const PACKED: readonly Shape[] = [[32, 256]]
/** 4096 tokens, 8 experts each. */
const MANY: readonly Shape[] = [[256, 128]]
const MASKED: readonly Shape[] = [
  [1, 1024],
  [2, 512],
  [4, 256],
  [32, 20],
  [32, 192],
  [6, 1024],
]
const SLICES: readonly Shape[] = [
  [4, 8192],
  [8, 4096],
]

function crossed(problem: GroupLayout, groups: readonly Shape[], weights: readonly Shape[]) {
  return groups.flatMap(([count, expected_m]) =>
    weights.map(([n, k]): MoeCase => ({ problem, groups: count, expected_m, n, k })),
  )
}

const QUICK: readonly MoeCase[] = [
  ...crossed('contiguous', [[4, 256]], [[512, 1024]]),
  ...crossed('packed', [[4, 256]], [[512, 1024]]),
  ...crossed('masked', [[4, 20]], [[512, 1024]]),
  { problem: 'k-grouped', groups: 4, expected_m: 512, n: 1024, k: 512 },
]

/** DeepSeek-V3's layer, on one GPU. */
const LAYER = { problem: 'layer', groups: 256, n: 7168, k: 2048 } as const
const QUICK_LAYER = { problem: 'layer', groups: 16, n: 1024, k: 512 } as const

export function layerCases(quick: boolean): readonly LayerCase[] {
  if (quick) return [16, 64].map((expected_m) => ({ ...QUICK_LAYER, expected_m }))
  return [1, 16, 128, 4096].map((expected_m) => ({ ...LAYER, expected_m }))
}

export function moeCases(quick: boolean): readonly MoeCase[] {
  if (quick) return QUICK
  return [
    ...crossed('contiguous', CONTIGUOUS, EXPERTS),
    ...crossed('contiguous', MANY, MANY_EXPERTS),
    ...crossed('packed', PACKED, EXPERTS),
    ...crossed('packed', MANY, MANY_EXPERTS),
    ...crossed('masked', MASKED, EXPERTS),
    ...EXPERTS.flatMap(([expected_m, n]) =>
      SLICES.map(([groups, k]): MoeCase => ({ problem: 'k-grouped', groups, expected_m, n, k })),
    ),
  ]
}

const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2

/** 0.7 to 1.3 times what is expected, evenly spread; slices of K are multiples of 128. */
export function groupSizes({ problem, groups, expected_m, k }: MoeCase): number[] {
  return Array.from({ length: groups }, (_, i) => {
    const share = 0.7 + 0.6 * (((i + 1) * GOLDEN_RATIO) % 1)
    if (problem === 'k-grouped') return BLOCK * Math.max(1, Math.round((share * k) / BLOCK))
    return Math.max(1, Math.round(share * expected_m))
  })
}

/** Room for the rows of a group in the masked layout; DeepGEMM's own tests have it. */
const MASKED_ROWS = 4096

/** A case with the sizes of its groups, laid out. */
export type GroupedLayout = {
  readonly sizes: readonly number[]
  /** Where each group's rows, or slice of K, starts. */
  readonly starts: readonly number[]
  /** Rows of A and D: of all groups, with padding; of one group in the masked layout. */
  readonly m: number
  /** K of A; the sum over groups in the k-grouped layout. */
  readonly k: number
  /** What the product is told on the device. */
  readonly indices: Int32Array<ArrayBuffer>
}

export function laidOut(item: MoeCase): GroupedLayout {
  const sizes = groupSizes(item)
  const offsets = packedOffsets(sizes)
  const packed = { sizes, starts: [...offsets.slice(0, -1)] }
  const total = offsets.at(-1) as number
  const { k } = item
  if (item.problem === 'k-grouped') {
    return { ...packed, m: item.expected_m, k: total, indices: Int32Array.from(sizes) }
  }
  if (item.problem === 'packed')
    return { ...packed, m: total, k, indices: Int32Array.from(offsets) }
  if (item.problem === 'contiguous') {
    const { rows, starts, groupIndex } = contiguousGroups(sizes, CONTIGUOUS_ALIGNMENT)
    return { sizes, starts: [...starts], m: rows, k, indices: Int32Array.from(groupIndex) }
  }
  const m = Math.max(MASKED_ROWS, ...sizes)
  return { sizes, starts: sizes.map(() => 0), m, k, indices: Int32Array.from(sizes) }
}

/** Bytes of the values and outputs that the groups use. */
export function groupedBytes(item: MoeCase): number {
  const total = groupSizes(item).reduce((sum, size) => sum + size, 0)
  const { problem, groups, expected_m, n, k } = item
  if (problem === 'k-grouped') return (expected_m + n) * total + 4 * groups * expected_m * n
  return groups * n * k + total * (k + 2 * n)
}

/** Operations of a product. */
export function groupedFlops(item: MoeCase): number {
  const total = groupSizes(item).reduce((sum, size) => sum + size, 0)
  const { problem, expected_m, n, k } = item
  return 2 * total * n * (problem === 'k-grouped' ? expected_m : k)
}

/** K blocks before a slice of K, whose blocks start anew with every group. */
export function blocksBefore(sizes: readonly number[], group: number): number {
  return sizes.slice(0, group).reduce((sum, size) => sum + ceilDiv(size, BLOCK), 0)
}
