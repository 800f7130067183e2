// The one place that knows which devices can run a mixture of experts.

import type { CpuConfig, FloatDType, GemmProblem, QuantizedTensor, Tensor } from '@deepgemm/core'
import type { Device, Stream } from '@deepgemm/runtime'
import {
  type CombineCall,
  cpuCombine,
  cpuF32Scales,
  cpuGemm,
  cpuPermuteRows,
  cpuPlanPermutation,
  cpuQuantize,
  cpuQueue,
  cpuRoute,
  cpuSwiglu,
  cpuSwigluQuantize,
  type PermuteRowsCall,
  type PlanPermutationCall,
  type RouteCall,
  type RowSet,
} from '@deepgemm/runtime/cpu'
import { enqueueCpuGrouped } from './cpu/grouped.js'
import type { GroupedCall } from './grouped/call.js'

export type {
  CombineCall,
  PermuteRowsCall,
  PlanPermutationCall,
  RouteCall,
  RowSet,
} from '@deepgemm/runtime/cpu'

/** The configs a plan may choose among for the problems it covers. */
export function configsFor(device: Device): readonly CpuConfig[] {
  return [{ target: 'cpu', isa: device.architecture, threads: device.parallelism }]
}

export function enqueueGrouped(stream: Stream, call: GroupedCall): void {
  enqueueCpuGrouped(cpuQueue(stream.device, stream), call)
}

/** A dense product with f32 scales: the router and the shared experts of a layer. */
export function enqueueDense(
  stream: Stream,
  problem: GemmProblem,
  operands: { readonly a: QuantizedTensor; readonly b: QuantizedTensor; readonly out: Tensor },
): void {
  cpuGemm(cpuQueue(stream.device, stream), problem, operands)
}

/**
 * The operand as every product of a layer reads it. Scales that have to be converted for that join
 * `made`, to be disposed after the last product.
 */
export function enqueueF32Scales(
  stream: Stream,
  operand: QuantizedTensor,
  made: Tensor[],
): QuantizedTensor {
  return cpuF32Scales(cpuQueue(stream.device, stream), operand, made)
}

export function enqueueQuantize(
  stream: Stream,
  source: Tensor<FloatDType>,
  out: QuantizedTensor,
  transpose = false,
): void {
  cpuQuantize(cpuQueue(stream.device, stream), source, out, transpose)
}

export function enqueueRoute(stream: Stream, call: RouteCall): void {
  cpuRoute(cpuQueue(stream.device, stream), call)
}

export function enqueuePlanPermutation(stream: Stream, call: PlanPermutationCall): void {
  cpuPlanPermutation(cpuQueue(stream.device, stream), call)
}

export function enqueuePermuteRows(stream: Stream, call: PermuteRowsCall): void {
  cpuPermuteRows(cpuQueue(stream.device, stream), call)
}

export function enqueueSwiglu(
  stream: Stream,
  set: RowSet,
  input: Tensor<FloatDType>,
  out: Tensor<FloatDType>,
): void {
  cpuSwiglu(cpuQueue(stream.device, stream), set, input, out)
}

export function enqueueSwigluQuantize(
  stream: Stream,
  set: RowSet,
  input: Tensor<FloatDType>,
  out: QuantizedTensor,
): void {
  cpuSwigluQuantize(cpuQueue(stream.device, stream), set, input, out)
}

export function enqueueCombine(stream: Stream, call: CombineCall): void {
  cpuCombine(cpuQueue(stream.device, stream), call)
}
