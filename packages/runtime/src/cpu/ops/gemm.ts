import type { GemmProblem, GemmWeights, QuantizedTensor, Tensor } from '@deepgemm/core'
import { OpArgs } from '../args.js'
import type { CpuQueue } from '../queue.js'
import {
  groupStride,
  pushB,
  pushOperand,
  pushOutput,
  pushWeights,
  weightsStride,
} from './operands.js'

/** Operands of a product: both K-major, with f32 scales. */
export type GemmOperands = {
  readonly a: QuantizedTensor
  readonly b: GemmWeights
  readonly out: Tensor
}

/** Enqueues a dense product, or a batch of them. */
export function cpuGemm(queue: CpuQueue, problem: GemmProblem, { a, b, out }: GemmOperands): void {
  const args = new OpArgs().numbers(problem.m, problem.n, problem.k)
  pushOperand(args, a)
  pushB(args, b)
  pushOutput(args, out, problem.accumulate)
  args.number(problem.groups)
  args.numbers(groupStride(a.values), a.scales.gridStrides.group)
  args.numbers(weightsStride(b), b.scales.gridStrides.group, groupStride(out))
  args.enqueue('gemm', queue.device, queue.stream)
}

/** Operands of a grouped product; `groups` is int32 data of the layout. */
export type GroupedOperands = GemmOperands & { readonly groups: Tensor<'i32'> }

/** Enqueues a product in the contiguous layout; `groups` is groupIndex [rows]. */
export function cpuGemmContiguous(queue: CpuQueue, p: GemmProblem, o: GroupedOperands): void {
  rowsCall(p, o).enqueue('gemmContiguous', queue.device, queue.stream)
}

/** Enqueues a product in the packed layout; `groups` is groupOffsets [G + 1]. */
export function cpuGemmPacked(queue: CpuQueue, p: GemmProblem, o: GroupedOperands): void {
  rowsCall(p, o).enqueue('gemmPacked', queue.device, queue.stream)
}

function rowsCall(problem: GemmProblem, { a, b, out, groups }: GroupedOperands): OpArgs {
  const args = new OpArgs().numbers(problem.m, problem.n, problem.k)
  pushOperand(args, a)
  pushWeights(args, b)
  pushOutput(args, out, problem.accumulate)
  return args.pointer(groups).number(groups.size)
}

/** Enqueues a product in the masked layout; `groups` is groupSizes [G]. */
export function cpuGemmMasked(
  queue: CpuQueue,
  problem: GemmProblem,
  { a, b, out, groups }: GroupedOperands,
): void {
  const args = new OpArgs().numbers(problem.m, problem.n, problem.k)
  pushOperand(args, a)
  args.numbers(groupStride(a.values), a.scales.gridStrides.group)
  pushWeights(args, b)
  pushOutput(args, out, problem.accumulate)
  args.number(groupStride(out)).pointer(groups).number(groups.size)
  args.enqueue('gemmMasked', queue.device, queue.stream)
}

/** Enqueues a product in the k-grouped layout; `groups` is groupSizes [G] along K. */
export function cpuGemmKGrouped(
  queue: CpuQueue,
  problem: GemmProblem,
  { a, b, out, groups }: KGroupedOperands,
): void {
  const args = new OpArgs().numbers(problem.m, problem.n, problem.k)
  pushKGroupedOperand(args, a)
  pushKGroupedOperand(args, b)
  pushOutput(args, out, problem.accumulate)
  args.number(groupStride(out)).pointer(groups).number(groups.size)
  args.number(Math.min(a.scales.shape[0] as number, b.scales.shape[0] as number))
  args.enqueue('gemmKGrouped', queue.device, queue.stream)
}

/**
 * A k-grouped operand: values [R, ΣK], scales f32 [Σ⌈Kg/128⌉, R]. Its scale blocks restart at every
 * group, so it is no QuantizedTensor.
 */
export type KGroupedOperand = { readonly values: Tensor<'e4m3'>; readonly scales: Tensor<'f32'> }

export type KGroupedOperands = {
  readonly a: KGroupedOperand
  readonly b: KGroupedOperand
  readonly out: Tensor
  readonly groups: Tensor<'i32'>
}

function pushKGroupedOperand(args: OpArgs, { values, scales }: KGroupedOperand): void {
  const [columnStride, rowOfScale] = scales.strides as readonly [number, number]
  args.pointer(values).number(values.strides[0] as number)
  args.pointer(scales).numbers(rowOfScale, columnStride, 1)
}
