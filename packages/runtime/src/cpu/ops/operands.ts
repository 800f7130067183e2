import {
  blockOf,
  type GemmWeights,
  type OutDType,
  PrepackedWeights,
  type QuantizedTensor,
  roundUp,
  type Scales,
  scaleGrid,
  type Tensor,
} from '@deepgemm/core'
import type { OpArgs } from '../args.js'
import { OUT_CODE, SCALE_CODE } from './codes.js'

/** Elements from one group of a tensor to the next; 0 for a tensor without groups. */
export function groupStride(tensor: Tensor): number {
  return tensor.shape.length === 3 ? (tensor.strides[0] as number) : 0
}

/** Elements from one row to the next. */
export function rowStride(tensor: Tensor): number {
  return tensor.strides.at(-2) as number
}

/** A K-major operand with f32 scales, as `read_operand` reads it. */
export function pushOperand(args: OpArgs, { values, scales }: QuantizedTensor): void {
  const grid = scales.gridStrides
  args.pointer(values).number(rowStride(values))
  args.pointer(scales.tensor).numbers(grid.row, grid.col, blockOf(scales.recipe).rows)
}

/** The operand B of `read_operand`: a row stride that no tensor has tells of prepacked weights. */
export function pushB(args: OpArgs, b: GemmWeights): void {
  if (!(b instanceof PrepackedWeights)) {
    pushOperand(args, b)
    return
  }
  const grid = b.scales.gridStrides
  args.pointer(b.panels).number(-1)
  args.pointer(b.scales.tensor).numbers(grid.row, grid.col, blockOf(b.scales.recipe).rows)
}

/** Elements from one matrix of weights to the next; 0 for a single one. */
export function weightsStride(b: GemmWeights): number {
  return groupStride(b instanceof PrepackedWeights ? b.panels : b.values)
}

/** The weights of all groups, as `read_weights` reads them. */
export function pushWeights(args: OpArgs, weights: GemmWeights): void {
  pushB(args, weights)
  args.numbers(weightsStride(weights), weights.scales.gridStrides.group)
  args.number(weights.shape[0] as number)
}

/** Where a product goes, as `read_output` reads it. */
export function pushOutput(args: OpArgs, out: Tensor, accumulate: boolean): void {
  args.pointer(out).number(rowStride(out))
  args.number(OUT_CODE[out.dtype as OutDType]).flag(accumulate)
}

/** Scales of a [rows, columns] matrix, as `read_scale_grid` reads them. */
export function pushScaleGrid(args: OpArgs, scales: Scales, rows: number, columns: number): void {
  const strides = scales.gridStrides
  const [gridRows] = scaleGrid(scales.recipe, rows, columns)
  const padded = scales.orientation === 'mn-major' ? roundUp(gridRows, 4) : 0
  args.pointer(scales.tensor).number(SCALE_CODE[scales.dtype])
  args.numbers(strides.group, strides.row, strides.col, padded)
}
