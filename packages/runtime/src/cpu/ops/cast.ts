import {
  type FloatDType,
  type QuantizedTensor,
  type Scales,
  scaleGrid,
  type Tensor,
} from '@deepgemm/core'
import { OpArgs } from '../args.js'
import type { CpuQueue } from '../queue.js'
import { FLOAT_CODE, RECIPE_CODE } from './codes.js'
import { groupStride, pushScaleGrid, rowStride } from './operands.js'

type Extents = { groups: number; rows: number; columns: number }

function extentsOf({ shape }: { readonly shape: readonly number[] }): Extents {
  const [rows, columns] = [shape.at(-2) as number, shape.at(-1) as number]
  return { groups: shape.length === 3 ? (shape[0] as number) : 1, rows, columns }
}

/**
 * Enqueues the cast of `source` [R, C] or [G, R, C] to `out` of the same shape, or of the
 * transposed shape: then recipe and scales speak of the transposed matrix.
 */
export function cpuQuantize(
  queue: CpuQueue,
  source: Tensor<FloatDType>,
  out: QuantizedTensor,
  transpose = false,
): void {
  const { groups, rows, columns } = extentsOf(source)
  const target = extentsOf(out)
  const args = new OpArgs().pointer(source).number(FLOAT_CODE[source.dtype])
  args.numbers(groups, rows, columns, groupStride(source), rowStride(source))
  args.pointer(out.values).numbers(groupStride(out.values), rowStride(out.values))
  args.number(RECIPE_CODE[out.recipe])
  pushScaleGrid(args, out.scales, target.rows, target.columns)
  args.flag(transpose).enqueue('quantize', queue.device, queue.stream)
}

/** Enqueues the cast of `source` back to floats of the same shape. */
export function cpuDequantize(
  queue: CpuQueue,
  source: QuantizedTensor,
  out: Tensor<FloatDType>,
): void {
  const { groups, rows, columns } = extentsOf(source)
  const { values, scales } = source
  const args = new OpArgs().pointer(values).numbers(groups, rows, columns)
  args.numbers(groupStride(values), rowStride(values)).number(RECIPE_CODE[scales.recipe])
  pushScaleGrid(args, scales, rows, columns)
  args.pointer(out).number(FLOAT_CODE[out.dtype]).numbers(groupStride(out), rowStride(out))
  args.enqueue('dequantize', queue.device, queue.stream)
}

/** Enqueues `out` [C, R] = the transposed bytes of `source` [R, C], or of a group of them. */
export function cpuTransposeBytes(queue: CpuQueue, source: Tensor, out: Tensor): void {
  const { groups, rows, columns } = extentsOf(source)
  const args = new OpArgs().pointer(source).numbers(groups, rows, columns)
  args.numbers(groupStride(source), rowStride(source))
  args.pointer(out).numbers(groupStride(out), rowStride(out))
  args.enqueue('transposeBytes', queue.device, queue.stream)
}

/**
 * Enqueues the copy of the scales of a matrix of `shape` into another orientation or format.
 * f32 to ue8m0 fails, at the next synchronize, when a scale is no power of two.
 */
export function cpuRelayoutScales(
  queue: CpuQueue,
  source: Scales,
  out: Scales,
  shape: readonly number[],
): void {
  const { groups, rows, columns } = extentsOf({ shape })
  const args = new OpArgs()
  pushScaleGrid(args, source, rows, columns)
  pushScaleGrid(args, out, rows, columns)
  const [gridRows, gridColumns] = scaleGrid(source.recipe, rows, columns)
  args.numbers(groups, gridRows, gridColumns)
  args.enqueue('relayoutScales', queue.device, queue.stream)
}

/** Enqueues the conversion of a contiguous tensor to another float dtype. */
export function cpuConvertFloats(
  queue: CpuQueue,
  source: Tensor<FloatDType>,
  out: Tensor<FloatDType>,
): void {
  const args = new OpArgs().pointer(source).number(FLOAT_CODE[source.dtype])
  args.pointer(out).number(FLOAT_CODE[out.dtype]).number(source.size)
  args.enqueue('convertFloats', queue.device, queue.stream)
}
