import type { Scales, Tensor } from '@deepgemm/core'
import { sm90ScaleCopyBlocks } from '@deepgemm/core/sm90'
import {
  ArgumentList,
  type CudaDevice,
  type CudaKernel,
  type CudaStream,
  type Geometry,
  type PreparedLaunch,
} from '@deepgemm/runtime/cuda'
import { type DeviceKernelSpec, deviceKernels } from '../device-kernels.js'
import { requireLoaded } from './require-loaded.js'
import { pushScaleGrid, type ScaleGridView, scaleGridView } from './scale-grid.js'

const THREADS = 256

/** A copy of scales into another layout; see `relayoutScales`. */
export type ScaleCopy = {
  readonly source: ScaleGridView
  readonly out: ScaleGridView
  /** u32, set to 1 when an f32 scale has no ue8m0 form. Wanted for such copies alone. */
  readonly inexact?: Tensor | undefined
}

/** What `enqueueScaleRelayout` launches. */
export const scaleRelayoutKernel: DeviceKernelSpec = {
  name: 'relayout_scales',
  struct: 'RelayoutConfig',
  config: {},
  target: 'sm_90a',
}

/** Loads what `enqueueScaleRelayout` needs; undefined when that is done already. */
export function prepareScaleRelayout(device: CudaDevice): Promise<unknown> | undefined {
  const kernels = deviceKernels(device)
  return kernels.loaded(scaleRelayoutKernel) ? undefined : kernels.load([scaleRelayoutKernel])
}

/** What a relayout is told besides the scales. */
export type RelayoutOptions = {
  /** Of the matrix that the scales belong to. */
  readonly shape: readonly number[]
  /** Copies of f32 to ue8m0 set it to 1 when a scale is no power of two. */
  readonly inexact?: Tensor | undefined
}

/**
 * Enqueues the copy of the scales of a matrix of `shape` into another orientation or format.
 *
 * @throws {DeviceError} when the kernel is not loaded
 */
export function enqueueScaleRelayout(
  stream: CudaStream,
  source: Scales,
  out: Scales,
  options: RelayoutOptions,
): void {
  if (out.tensor.size === 0) return
  const { kernel, list, geometry } = relayoutCall(stream.device, source, out, options)
  kernel.launch(list, geometry, stream)
}

/** The same of scales that are not empty, for launches that repeat. */
export function scaleRelayoutLaunch(
  device: CudaDevice,
  source: Scales,
  out: Scales,
  options: RelayoutOptions,
): PreparedLaunch {
  const { kernel, list, geometry } = relayoutCall(device, source, out, options)
  return kernel.prepare(list, geometry)
}

function relayoutCall(
  device: CudaDevice,
  source: Scales,
  out: Scales,
  { shape, inexact }: RelayoutOptions,
): { kernel: CudaKernel; list: ArgumentList; geometry: Geometry } {
  const copy = { source: scaleGridView(source, shape), out: scaleGridView(out, shape), inexact }
  const kernel = requireLoaded(device, scaleRelayoutKernel)
  const list = pushScaleCopy(new ArgumentList('struct'), copy)
  const grid = [scaleCopyBlocks(copy)] as const
  return { kernel, list, geometry: { grid, block: [THREADS], programmatic: true } }
}

/** Blocks of threads that a copy takes. */
export function scaleCopyBlocks({ out }: ScaleCopy): number {
  const { inner, outer } = splitOf(out)
  return out.groups * inner * outer
}

/** Adds the members of `ScaleCopy` (`kernels/cuda/quantize/scale_copy.cuh`) in their order. */
export function pushScaleCopy(list: ArgumentList, copy: ScaleCopy): ArgumentList {
  const { inner, outer } = splitOf(copy.out)
  pushScaleGrid(pushScaleGrid(list, copy.source), copy.out)
  return list
    .pointer(copy.inexact)
    .u32(rowsAreInner(copy.out) ? 1 : 0)
    .u32(inner)
    .u32(outer)
    .u32(0)
}

/** Whether consecutive rows of the grid, rather than columns, lie back to back. */
function rowsAreInner({ strides }: ScaleGridView): boolean {
  return strides.row < strides.col
}

function splitOf(out: ScaleGridView): { inner: number; outer: number } {
  const { paddedRows, paddedColumns } = out
  return rowsAreInner(out)
    ? sm90ScaleCopyBlocks(paddedRows, paddedColumns)
    : sm90ScaleCopyBlocks(paddedColumns, paddedRows)
}
