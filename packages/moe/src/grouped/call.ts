import type {
  GemmConfig,
  GemmWeights,
  GroupLayout,
  OutDType,
  QuantizedTensor,
  Tensor,
} from '@deepgemm/core'
import type { Stream } from '@deepgemm/runtime'
import type { KGroupedMatrix } from './k-grouped-tensor.js'
import type { GroupedProblem } from './problem.js'

/** Layouts whose groups are runs of rows. */
export type RowsLayout = Exclude<GroupLayout, 'k-grouped'>

/** What the operands of a layout are. */
export type GroupedOperand<L extends GroupLayout> = L extends 'k-grouped'
  ? KGroupedMatrix
  : QuantizedTensor

/** What a layout takes as B: on a CPU also prepacked weights, but for k-grouped. */
export type GroupedWeights<L extends GroupLayout> = L extends 'k-grouped'
  ? KGroupedMatrix
  : GemmWeights

type CallOf<L extends GroupLayout> = {
  readonly layout: L
  readonly problem: GroupedProblem
  readonly a: GroupedOperand<L>
  readonly b: GroupedOperand<L>
  readonly out: Tensor
  /** groupIndex, groupOffsets or groupSizes, as the layout wants. */
  readonly groups: Tensor<'i32'>
  /** Masked layout: rows that a group is expected to have; a GPU's choice of kernel. */
  readonly expectedM: number
  /** Have a GPU check `groups`; a CPU always does. */
  readonly validate: boolean
  /** The caller waits for the product in the same turn: what the check finds is for nobody else. */
  readonly awaited: boolean
  /** No work that may still run writes `groups`. */
  readonly groupsReady: boolean
}

/** One grouped product, validated. */
type RowsCall = CallOf<RowsLayout>
export type KGroupedCall = CallOf<'k-grouped'>
export type GroupedCall = RowsCall | KGroupedCall

/** One whose weights may be prepacked. */
export type RowsWeightsCall = Omit<RowsCall, 'b'> & { readonly b: GemmWeights }
export type GroupedWeightsCall = RowsWeightsCall | KGroupedCall

/** Grouped products of one layout, N and K, and any number of rows up to a bound. */
export type GroupedRange = {
  readonly layout: GroupLayout
  readonly groups: number
  /** The most rows of A: of all groups together, or of one in the masked layout. */
  readonly m: { readonly max: number }
  readonly n: number
  /** K; in the k-grouped layout the largest ΣK. */
  readonly k: number
  readonly out: OutDType
  readonly accumulate: boolean
  /** What a group is expected to have: rows, or columns of K. */
  readonly expected: { readonly least: number; readonly most: number }
  readonly validate: boolean
}

/** All that a range of grouped products needs, chosen and loaded. */
export interface PreparedGrouped {
  /** What products are computed with. */
  readonly configs: readonly GemmConfig[]
  enqueue(stream: Stream, call: GroupedWeightsCall): void
}
