// The one place that knows which devices can run a mixture of experts.

import type {
  DeviceRef,
  GemmProblem,
  QuantizedTensor,
  ScaleOrientation,
  Tensor,
} from '@deepgemm/core'
import {
  type CastCall,
  castConfig,
  castKernel,
  type DeviceKernelSpec,
  enqueueCast,
} from '@deepgemm/jit'
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
  type PlanPermutationCall,
  type RouteCall,
} from '@deepgemm/runtime/cpu'
import { CudaDevice, type CudaStream } from '@deepgemm/runtime/cuda'
import { enqueueCpuGrouped } from './cpu/grouped.js'
import { combineKernelOf, enqueueCudaCombine } from './cuda/combine.js'
import { RepeatedWork as CudaRepeatedWork, placementKey } from './cuda/graphs.js'
import { cudaGroupedLauncher, prepareCudaGrouped } from './cuda/grouped.js'
import { prepareKernels } from './cuda/kernel.js'
import { layerKernels } from './cuda/layer-kernels.js'
import { enqueueCudaLogits, FEW_TOKENS, type LogitsCall } from './cuda/logits.js'
import { readableOperand as cudaReadable, ROUTER_ROWS, withPaddedRows } from './cuda/operand.js'
import { enqueueCudaPermute, type PermuteCall, permuteKernelOf } from './cuda/permute-rows.js'
import { type CheckedPlanCall, enqueueCudaPlan, planKernelOf } from './cuda/plan-permutation.js'
import { enqueueCudaRoute, routeKernel, routeKind } from './cuda/route.js'
import { canSelect, enqueueCudaSelect } from './cuda/select.js'
import {
  enqueueCudaSwiglu,
  enqueueCudaSwigluQuantize,
  type SwigluCall,
  type SwigluQuantizeCall,
  swigluKernelOf,
  swigluQuantizeKernelOf,
} from './cuda/swiglu.js'
import { flattened } from './flatten.js'
import type {
  GroupedCall,
  GroupedRange,
  GroupedWeightsCall,
  PreparedGrouped,
} from './grouped/call.js'

export type { CastCall } from '@deepgemm/jit'
export type { CombineCall, RouteCall, RowSet } from '@deepgemm/runtime/cpu'
export { ROUTER_ROWS } from './cuda/operand.js'
export type { PermuteCall } from './cuda/permute-rows.js'
export { type CheckedPlanCall, requirePlanned } from './cuda/plan-permutation.js'
export type { SwigluCall, SwigluQuantizeCall } from './cuda/swiglu.js'

/** Chooses and loads what grouped products of a range need. */
export async function prepareGrouped(
  device: Device,
  range: GroupedRange,
): Promise<PreparedGrouped> {
  if (device instanceof CudaDevice) return prepareCudaGrouped(device, range)
  return {
    configs: [{ target: 'cpu', isa: device.architecture, threads: device.parallelism }],
    enqueue: (stream, call) => enqueueCpuGrouped(cpuQueue(stream.device, stream), call),
  }
}

/** What enqueues a grouped product; on a GPU, once its kernel is loaded. */
export function groupedLauncher(
  stream: Stream,
  call: GroupedWeightsCall,
): (() => void) | Promise<() => void> {
  // Prepacked weights are refused where the problem is made.
  if (isCuda(stream)) return cudaGroupedLauncher(stream, call as GroupedCall)
  return () => enqueueCpuGrouped(cpuQueue(stream.device, stream), call)
}

/** A dense product with f32 scales: the router and the shared experts of a layer. */
export function enqueueDense(
  stream: Stream,
  problem: GemmProblem,
  operands: { readonly a: QuantizedTensor; readonly b: QuantizedTensor; readonly out: Tensor },
): void {
  cpuGemm(cpuQueue(stream.device, stream), problem, operands)
}

/** Tokens up to which `enqueueFewLogits` computes a router's product; 0 where it does not. */
export function fewTokens(device: DeviceRef): number {
  return device instanceof CudaDevice ? FEW_TOKENS : 0
}

/** A router's product for few tokens, of a device that has one. */
export function enqueueFewLogits(stream: Stream, call: LogitsCall): void {
  if (isCuda(stream)) enqueueCudaLogits(stream, call)
}

/** Whether `enqueueDense` works there. A GPU multiplies dense operands as a group of one. */
export function multipliesDense(device: DeviceRef): boolean {
  return !(device instanceof CudaDevice)
}

/**
 * The operand as every product of a layer reads it. What has to be made for that joins `made`, to
 * be disposed after the last product.
 */
export async function readableOperand(
  stream: Stream,
  operand: QuantizedTensor,
  made: Tensor[],
): Promise<QuantizedTensor> {
  if (isCuda(stream)) return cudaReadable(stream, operand, made)
  return cpuF32Scales(cpuQueue(stream.device, stream), operand, made)
}

/** The same of a router [E, H]: on a GPU with as many rows as a product can have columns. */
export async function readableRouter(
  stream: Stream,
  router: QuantizedTensor,
  made: Tensor[],
): Promise<QuantizedTensor> {
  const operand = await readableOperand(stream, router, made)
  return isCuda(stream) ? withPaddedRows(stream, operand, ROUTER_ROWS, made) : operand
}

/** Whether what is enqueued becomes part of a graph instead of being run. */
export function isCapturing(stream: Stream): boolean {
  return isCuda(stream) && stream.capturing
}

/** A key that is equal where tensors are the same memory in the same form; '' on a CPU. */
export function placementOf(stream: Stream, tensors: readonly (Tensor | undefined)[]): string {
  return isCuda(stream) ? placementKey(tensors) : ''
}

/** Work that repeats with the same buffers, keyed; a GPU replays it as a graph. */
export interface RepeatedWork {
  run(stream: Stream, key: string, enqueue: (stream: Stream) => void): void
  dispose(): void
}

/** At most so many keys are remembered. */
export function repeatedWork(device: Device, most: number): RepeatedWork {
  if (device instanceof CudaDevice) return new CudaRepeatedWork(device, most)
  return { run: (stream, _, enqueue) => enqueue(stream), dispose: () => undefined }
}

/** Loads what runs of a layer need besides their products. */
export async function prepareLayer(
  device: Device,
  experts: number,
  gating: RouteCall['gating'],
): Promise<void> {
  if (device instanceof CudaDevice) await prepareKernels(device, layerKernels(experts, gating))
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
  const { source, out, transpose } = call
  return prepare(device, () => castKernel(castConfig(source, out, transpose)))
}

export function enqueueQuantize(stream: Stream, call: CastCall): void {
  if (isCuda(stream)) enqueueCast(stream, call)
  else cpuQuantize(cpuQueue(stream.device, stream), call.source, call.out, call.transpose)
}

export function prepareRoute(device: DeviceRef, call: RouteCall): Promise<unknown> | undefined {
  return prepare(device, () => routeKernel(routeKind(call)))
}

export function enqueueRoute(stream: Stream, call: RouteCall): void {
  if (isCuda(stream)) enqueueCudaRoute(stream, call)
  else cpuRoute(cpuQueue(stream.device, stream), call)
}

export function preparePlan(
  device: DeviceRef,
  call: CheckedPlanCall,
): Promise<unknown> | undefined {
  return prepare(device, () => planKernelOf(call))
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

/** Routes tokens and plans their permutation, in a layer whose kernels are loaded. */
export function enqueueRouteAndPlan(
  stream: Stream,
  route: RouteCall,
  plan: PlanPermutationCall,
): void {
  if (isCuda(stream) && canSelect(plan)) {
    enqueueCudaSelect(stream, route, plan)
    return
  }
  enqueueRoute(stream, route)
  enqueuePlanPermutation(stream, plan)
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
