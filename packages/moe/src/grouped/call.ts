import type { GroupLayout, QuantizedTensor, Tensor } from '@deepgemm/core'
import type { KGroupedMatrix } from './k-grouped-tensor.js'
import type { GroupedProblem } from './problem.js'

/** Layouts whose groups are runs of rows. */
export type RowsLayout = Exclude<GroupLayout, 'k-grouped'>

/** What the operands of a layout are. */
export type GroupedOperand<L extends GroupLayout> = L extends 'k-grouped'
  ? KGroupedMatrix
  : QuantizedTensor

type CallOf<L extends GroupLayout> = {
  readonly layout: L
  readonly problem: GroupedProblem
  readonly a: GroupedOperand<L>
  readonly b: GroupedOperand<L>
  readonly out: Tensor
  /** groupIndex, groupOffsets or groupSizes, as the layout wants. */
  readonly groups: Tensor<'i32'>
}

/** One grouped product, validated. */
export type RowsCall = CallOf<RowsLayout>
export type KGroupedCall = CallOf<'k-grouped'>
export type GroupedCall = RowsCall | KGroupedCall
