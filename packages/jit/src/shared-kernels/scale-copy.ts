import type { Scales, Tensor } from '@deepgemm/core'
import { sm90ScaleCopyBlocks } from '@deepgemm/core/sm90'
import { ArgumentList, type CudaDevice, type CudaStream } from '@deepgemm/runtime/cuda'
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

/**
 * Enqueues the copy of the scales of a matrix of `shape` into another orientation or format.
 * Copies of f32 to ue8m0 set `inexact` to 1 when a scale is no power of two.
 *
 * @throws {DeviceError} when the kernel is not loaded
 */
export function enqueueScaleRelayout(
  stream: CudaStream,
  source: Scales,
  out: Scales,
  options: { readonly shape: readonly number[]; readonly inexact?: Tensor | undefined },
): void {
  const { shape, inexact } = options
  const copy = { source: scaleGridView(source, shape), out: scaleGridView(out, shape), inexact }
  const blocks = scaleCopyBlocks(copy)
  if (blocks === 0) return
  const kernel = requireLoaded(stream.device, scaleRelayoutKernel)
  const args = pushScaleCopy(new ArgumentList('struct'), copy)
  kernel.launch(args, { grid: [blocks], block: [THREADS], programmatic: true }, stream)
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
