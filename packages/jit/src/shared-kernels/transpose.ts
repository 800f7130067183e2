import type { QuantizedTensor, Tensor } from '@deepgemm/core'
import {
  SM90_TRANSPOSE_TILE,
  type Sm90TransposeConfig,
  sm90CoveringTransposes,
  sm90TransposeConfig,
  sm90TransposeMembers,
} from '@deepgemm/core/sm90'
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
import { pushScaleCopy, scaleCopyBlocks } from './scale-copy.js'
import { scaleGridView, transposedGrid } from './scale-grid.js'

const THREADS = 256

function transposeKernel(config: Sm90TransposeConfig): DeviceKernelSpec {
  return {
    name: 'transpose_e4m3',
    struct: 'TransposeConfig',
    config: sm90TransposeMembers(config),
    target: config.target,
  }
}

/** Everything that `enqueueTranspose` may launch, for plans to load beside their own kernels. */
export const transposeKernels: readonly DeviceKernelSpec[] =
  sm90CoveringTransposes().map(transposeKernel)

/** Loads what `enqueueTranspose` needs; undefined when that is done already. */
export function prepareTranspose(device: CudaDevice): Promise<unknown> | undefined {
  const kernels = deviceKernels(device)
  const isLoaded = transposeKernels.every((spec) => kernels.loaded(spec) !== undefined)
  return isLoaded ? undefined : kernels.load(transposeKernels)
}

/**
 * Enqueues `out` [C, R] = the transposed `source` [R, C], or a group of them: values and scales, in
 * one launch. The recipe of `out` is the transposed one; its scales may have another orientation,
 * and may be f32 where those of `source` are ue8m0. Not the reverse, which can be inexact.
 *
 * @throws {DeviceError} when the kernel is not loaded
 */
export function enqueueTranspose(
  stream: CudaStream,
  source: QuantizedTensor,
  out: QuantizedTensor,
): void {
  if (source.values.size === 0) return
  const { kernel, list, geometry } = transposeCall(stream.device, source, out)
  kernel.launch(list, geometry, stream)
}

/** The same of a tensor that is not empty, for launches that repeat. */
export function transposeLaunch(
  device: CudaDevice,
  source: QuantizedTensor,
  out: QuantizedTensor,
): PreparedLaunch {
  const { kernel, list, geometry } = transposeCall(device, source, out)
  return kernel.prepare(list, geometry)
}

function transposeCall(
  device: CudaDevice,
  source: QuantizedTensor,
  out: QuantizedTensor,
): { kernel: CudaKernel; list: ArgumentList; geometry: Geometry } {
  const [rows, columns] = [source.shape.at(-2) as number, source.shape.at(-1) as number]
  const groups = source.shape.length === 3 ? (source.shape[0] as number) : 1
  const rowTiles = Math.ceil(rows / SM90_TRANSPOSE_TILE.rows)
  const columnTiles = Math.ceil(columns / SM90_TRANSPOSE_TILE.columns)
  const valueBlocks = groups * rowTiles * columnTiles
  const scales = {
    source: transposedGrid(scaleGridView(source.scales, source.shape)),
    out: scaleGridView(out.scales, out.shape),
  }
  const config = sm90TransposeConfig(source.values, out.values)
  const kernel = requireLoaded(device, transposeKernel(config))
  const list = new ArgumentList('struct').pointer(source.values).pointer(out.values)
  pushStrides(list, source.values)
  pushStrides(list, out.values)
  for (const count of [rows, columns, rowTiles, columnTiles, valueBlocks, 0]) list.u32(count)
  pushScaleCopy(list, scales)
  const grid = [valueBlocks + scaleCopyBlocks(scales)] as const
  return { kernel, list, geometry: { grid, block: [THREADS], programmatic: true } }
}

/** Elements from one group, and from one row, to the next. */
function pushStrides(list: ArgumentList, { shape, strides }: Tensor): void {
  list.i64(shape.length === 3 ? (strides[0] as number) : 0).i64(strides.at(-2) as number)
}
