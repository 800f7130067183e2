import type { FloatDType, QuantizedTensor, Scales, Tensor } from '@deepgemm/core'
import { OpArgs } from '../args.js'
import type { CpuQueue } from '../queue.js'
import { FLOAT_CODE } from './codes.js'
import { pushScaleGrid, rowStride } from './operands.js'

/** cpu::RouteGating */
const GATING_CODE = { softmax: 0, 'group-limited-sigmoid': 1 } as const

/** cpu::PermutationLayout */
const LAYOUT_CODE = { packed: 0, contiguous: 1, masked: 2 } as const

export type RouteCall = {
  readonly logits: Tensor<FloatDType>
  readonly topK: number
  readonly gating: keyof typeof GATING_CODE
  readonly normalize: boolean
  readonly scalingFactor: number
  readonly bias: Tensor<'f32'> | undefined
  readonly groups: number
  readonly topGroups: number
  readonly indices: Tensor<'i32'>
  readonly weights: Tensor<'f32'>
}

/** Enqueues top-k routing: logits [T, E] to indices and weights [T, topK]. */
export function cpuRoute(queue: CpuQueue, call: RouteCall): void {
  const [tokens, experts] = call.logits.shape as readonly [number, number]
  const args = new OpArgs().pointer(call.logits).number(FLOAT_CODE[call.logits.dtype])
  args.numbers(tokens, experts, rowStride(call.logits), call.topK, GATING_CODE[call.gating])
  args.flag(call.normalize).number(call.scalingFactor).pointer(call.bias)
  args.numbers(call.groups, call.topGroups).pointer(call.indices).pointer(call.weights)
  args.enqueue('route', queue.device, queue.stream)
}

export type PlanPermutationCall = {
  readonly indices: Tensor<'i32'>
  readonly experts: number
  readonly layout: keyof typeof LAYOUT_CODE
  readonly alignment: number
  readonly maxRows: number
  readonly rowCapacity: number
  readonly counts: Tensor<'i32'>
  readonly offsets: Tensor<'i32'> | undefined
  readonly destination: Tensor<'i32'>
  readonly groupIndex: Tensor<'i32'> | undefined
}

/** Enqueues the choice of a row for every (token, expert) pair. */
export function cpuPlanPermutation(queue: CpuQueue, call: PlanPermutationCall): void {
  const [tokens, topK] = call.indices.shape as readonly [number, number]
  const args = new OpArgs().pointer(call.indices).numbers(tokens, topK, call.experts)
  args.numbers(LAYOUT_CODE[call.layout], call.alignment, call.maxRows, call.rowCapacity)
  args.pointer(call.counts).pointer(call.offsets).pointer(call.destination)
  args.pointer(call.groupIndex).enqueue('planPermutation', queue.device, queue.stream)
}

export type PermuteRowsCall = {
  readonly destination: Tensor<'i32'>
  readonly source: QuantizedTensor
  /** [rows, C] values, or [G, maxRows, C] of the masked layout seen as [G · maxRows, C]. */
  readonly out: Tensor<'e4m3'>
  /** 1x128 scales of `out`. */
  readonly outScales: Scales
  readonly groupIndex: Tensor<'i32'> | undefined
}

/** Enqueues the copy of token rows, with their 1x128 scales, to their permuted places. */
export function cpuPermuteRows(queue: CpuQueue, call: PermuteRowsCall): void {
  const { source, out, destination } = call
  const [tokens, topK] = destination.shape as readonly [number, number]
  const [sourceRows, columns] = source.shape as readonly [number, number]
  const rows = out.shape[0] as number
  const args = new OpArgs().pointer(destination).numbers(tokens, topK)
  args.pointer(source.values).number(rowStride(source.values))
  args.pointer(out).numbers(rowStride(out), columns, rows).pointer(call.groupIndex)
  args.number(Math.ceil(columns / 128))
  pushScaleGrid(args, source.scales, sourceRows, columns)
  pushScaleGrid(args, call.outScales, rows, columns)
  args.enqueue('permuteRows', queue.device, queue.stream)
}

/** Which rows of a buffer hold data; at most one of the three tensors. */
export type RowSet = {
  readonly rows: number
  /** One number, rows below it hold data: the last of the packed offsets. */
  readonly rowCount?: Tensor<'i32'>
  readonly groupIndex?: Tensor<'i32'>
  readonly groupSizes?: Tensor<'i32'>
  readonly rowsPerGroup?: number
}

function pushRowSet(args: OpArgs, set: RowSet): void {
  args.number(set.rows).pointer(set.rowCount).pointer(set.groupIndex).pointer(set.groupSizes)
  args.number(set.rowsPerGroup ?? 0)
}

/** Enqueues silu(gate) · up of rows [gate | up]. */
export function cpuSwiglu(
  queue: CpuQueue,
  set: RowSet,
  input: Tensor<FloatDType>,
  out: Tensor<FloatDType>,
): void {
  const args = new OpArgs()
  pushRowSet(args, set)
  args.number(out.shape.at(-1) as number)
  args.pointer(input).numbers(FLOAT_CODE[input.dtype], rowStride(input))
  args.pointer(out).numbers(FLOAT_CODE[out.dtype], rowStride(out))
  args.enqueue('swiglu', queue.device, queue.stream)
}

/** Enqueues silu(gate) · up of rows [gate | up], quantised with 1x128 scales. */
export function cpuSwigluQuantize(
  queue: CpuQueue,
  set: RowSet,
  input: Tensor<FloatDType>,
  out: QuantizedTensor,
): void {
  const [rows, columns] = out.shape as readonly [number, number]
  const args = new OpArgs()
  pushRowSet(args, set)
  args.number(columns).pointer(input).numbers(FLOAT_CODE[input.dtype], rowStride(input))
  args.pointer(out.values).number(rowStride(out.values))
  pushScaleGrid(args, out.scales, rows, columns)
  args.enqueue('swigluQuantize', queue.device, queue.stream)
}

export type CombineCall = {
  readonly destination: Tensor<'i32'>
  readonly weights: Tensor<'f32'>
  /** [rows, C]; the masked layout is seen as [G · maxRows, C]. */
  readonly rows: Tensor<FloatDType>
  readonly addend: Tensor<FloatDType> | undefined
  readonly out: Tensor<FloatDType>
}

/** Enqueues the weighted sum of every token's expert rows, plus `addend`. */
export function cpuCombine(queue: CpuQueue, call: CombineCall): void {
  const { destination, rows, addend, out } = call
  const [tokens, topK] = destination.shape as readonly [number, number]
  const [capacity, columns] = rows.shape as readonly [number, number]
  const args = new OpArgs().pointer(destination).pointer(call.weights)
  args.numbers(tokens, topK, columns)
  args.pointer(rows).numbers(FLOAT_CODE[rows.dtype], rowStride(rows), capacity)
  args.pointer(addend)
  args.numbers(addend ? FLOAT_CODE[addend.dtype] : 0, addend ? rowStride(addend) : 0)
  args.pointer(out).numbers(FLOAT_CODE[out.dtype], rowStride(out))
  args.enqueue('combine', queue.device, queue.stream)
}
