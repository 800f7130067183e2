// The one place that knows which devices can run a mixture of experts.

import type {
  CpuConfig,
  DeviceRef,
  GemmProblem,
  QuantizedTensor,
  ScaleOrientation,
  Tensor,
} from '@deepgemm/core'
import type { DeviceKernelSpec } from '@deepgemm/jit'
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
  type RouteCall,
} from '@deepgemm/runtime/cpu'
import { CudaDevice, type CudaStream } from '@deepgemm/runtime/cuda'
import { enqueueCpuGrouped } from './cpu/grouped.js'
import { type CastCall, castKernelOf, enqueueCudaCast } from './cuda/cast.js'
import { combineKernelOf, enqueueCudaCombine } from './cuda/combine.js'
import { prepareKernels } from './cuda/kernel.js'
import { enqueueCudaPermute, type PermuteCall, permuteKernelOf } from './cuda/permute-rows.js'
import { type CheckedPlanCall, enqueueCudaPlan, planKernel } from './cuda/plan-permutation.js'
import { enqueueCudaRoute, routeKernel, routeKind } from './cuda/route.js'
import {
  enqueueCudaSwiglu,
  enqueueCudaSwigluQuantize,
  type SwigluCall,
  type SwigluQuantizeCall,
  swigluKernelOf,
  swigluQuantizeKernelOf,
} from './cuda/swiglu.js'
import { flattened } from './flatten.js'
import type { GroupedCall } from './grouped/call.js'

export type { CombineCall, RouteCall, RowSet } from '@deepgemm/runtime/cpu'
export type { CastCall } from './cuda/cast.js'
export type { PermuteCall } from './cuda/permute-rows.js'
export { type CheckedPlanCall, requirePlanned } from './cuda/plan-permutation.js'
export type { SwigluCall, SwigluQuantizeCall } from './cuda/swiglu.js'

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

/** How 1x128 scales of permuted rows are stored: as the grouped product of the device reads them. */
export function rowScaleOrientation(device: DeviceRef): ScaleOrientation {
  // On the CPU rows of all groups are one step apart; a GPU copies the scales of a tile in bulk.
  return device instanceof CudaDevice ? 'mn-major' : 'k-major'
}

/** Loads what an operation needs; undefined when nothing is missing. */
function prepare(device: DeviceRef, spec: () => DeviceKernelSpec): Promise<unknown> | undefined {
  return device instanceof CudaDevice ? prepareKernels(device, [spec()]) : undefined
}

export function prepareQuantize(device: DeviceRef, call: CastCall): Promise<unknown> | undefined {
  return prepare(device, () => castKernelOf(call))
}

export function enqueueQuantize(stream: Stream, call: CastCall): void {
  if (isCuda(stream)) enqueueCudaCast(stream, call)
  else cpuQuantize(cpuQueue(stream.device, stream), call.source, call.out, call.transpose)
}

export function prepareRoute(device: DeviceRef, call: RouteCall): Promise<unknown> | undefined {
  return prepare(device, () => routeKernel(routeKind(call)))
}

export function enqueueRoute(stream: Stream, call: RouteCall): void {
  if (isCuda(stream)) enqueueCudaRoute(stream, call)
  else cpuRoute(cpuQueue(stream.device, stream), call)
}

export function preparePlan(device: DeviceRef, experts: number): Promise<unknown> | undefined {
  return prepare(device, () => planKernel(experts))
}

/** Where a GPU reports what is wrong with a routing; undefined on a CPU, whose jobs fail. */
export function planStatus(device: Device): Tensor<'i32'> | undefined {
  if (!(device instanceof CudaDevice)) return undefined
  return device.zeros({ dtype: 'i32', shape: [2], label: 'permutation status' })
}

/** A CPU reports a bad routing at the next wait, a GPU in `call.status`; see `requirePlanned`. */
export function enqueuePlanPermutation(stream: Stream, call: CheckedPlanCall): void {
  if (isCuda(stream)) enqueueCudaPlan(stream, call)
  else cpuPlanPermutation(cpuQueue(stream.device, stream), call)
}

export function preparePermute(device: DeviceRef, call: PermuteCall): Promise<unknown> | undefined {
  return prepare(device, () => permuteKernelOf(call))
}

export function enqueuePermute(stream: Stream, call: PermuteCall): void {
  if (isCuda(stream)) enqueueCudaPermute(stream, call)
  else {
    const { values, scales } = flattened(call.out)
    cpuPermuteRows(cpuQueue(stream.device, stream), { ...call, out: values, outScales: scales })
  }
}

export function prepareSwiglu(device: DeviceRef, call: SwigluCall): Promise<unknown> | undefined {
  return prepare(device, () => swigluKernelOf(call))
}

export function enqueueSwiglu(stream: Stream, call: SwigluCall): void {
  if (isCuda(stream)) enqueueCudaSwiglu(stream, call)
  else cpuSwiglu(cpuQueue(stream.device, stream), call.set, call.input, call.out)
}

export function prepareSwigluQuantize(
  device: DeviceRef,
  call: SwigluQuantizeCall,
): Promise<unknown> | undefined {
  return prepare(device, () => swigluQuantizeKernelOf(call))
}

export function enqueueSwigluQuantize(stream: Stream, call: SwigluQuantizeCall): void {
  if (isCuda(stream)) enqueueCudaSwigluQuantize(stream, call)
  else {
    const { set, input, out } = call
    cpuSwigluQuantize(cpuQueue(stream.device, stream), set, input, flattened(out))
  }
}

export function prepareCombine(device: DeviceRef, call: CombineCall): Promise<unknown> | undefined {
  return prepare(device, () => combineKernelOf(call))
}

export function enqueueCombine(stream: Stream, call: CombineCall): void {
  if (isCuda(stream)) enqueueCudaCombine(stream, call)
  else cpuCombine(cpuQueue(stream.device, stream), call)
}

function isCuda(stream: Stream): stream is CudaStream {
  return stream.device instanceof CudaDevice
}
