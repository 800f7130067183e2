import type { FloatDType, QuantizedTensor, Tensor } from '@deepgemm/core'
import { sm90CastTile } from '@deepgemm/core/sm90'
import { deviceKernels, pushScaleGrid, scaleGridView, transposedGrid } from '@deepgemm/jit'
import {
  ArgumentList,
  type CudaDevice,
  type CudaStream,
  type PreparedLaunch,
} from '@deepgemm/runtime/cuda'
import { castKernel } from './kernel.js'
import { castForm, rememberedLaunch, rememberLaunch } from './launches.js'
import { castConfig, type Extents, notLoaded, requireExtents } from './requirements.js'
import { groupStride, rowStride } from './strides.js'

const THREADS = 256

/**
 * Compiles and loads the kernel of a cast; undefined when that is done already. The kernel for rows
 * that lie otherwise comes along, if it can be had, so that such casts can be enqueued at once.
 *
 * @throws {ShapeError | CompileError | CacheError | CudaError}
 */
export function prepareCudaCast(
  device: CudaDevice,
  source: Tensor<FloatDType>,
  out: QuantizedTensor,
  transpose: boolean,
): Promise<unknown> | undefined {
  requireExtents('The matrix to quantise', source.shape)
  if (source.size === 0) return undefined
  const config = castConfig(source, out, transpose)
  const kernels = deviceKernels(device)
  const spec = castKernel(config)
  if (kernels.loaded(spec) !== undefined) return undefined
  const other = castKernel({ ...config, aligned: !config.aligned })
  return Promise.all([kernels.load([spec]), kernels.load([other]).catch(() => undefined)])
}

/** @throws {DeviceError | ShapeError} also when the kernel is not loaded */
export function enqueueCudaCast(
  stream: CudaStream,
  source: Tensor<FloatDType>,
  out: QuantizedTensor,
  transpose: boolean,
): void {
  if (source.size === 0) return
  const form = castForm(source, out, transpose)
  const earlier = rememberedLaunch(stream.device, form)
  if (earlier !== undefined) {
    earlier.rebind([source, out.values, out.scales.tensor])
    // False once the module is gone, which the way below says in words.
    if (earlier.run(stream)) return
  }
  const launch = castLaunch(stream.device, source, out, transpose)
  launch.run(stream)
  rememberLaunch(stream.device, form, launch)
}

function castLaunch(
  device: CudaDevice,
  source: Tensor<FloatDType>,
  out: QuantizedTensor,
  transpose: boolean,
): PreparedLaunch {
  const extents = requireExtents('The matrix to quantise', source.shape)
  const config = castConfig(source, out, transpose)
  const kernel = deviceKernels(device).loaded(castKernel(config))
  if (kernel === undefined) throw notLoaded(config)
  const tile = sm90CastTile(config)
  const rowTiles = Math.ceil(extents.rows / tile.rows)
  const columnTiles = Math.ceil(extents.columns / tile.columns)
  const args = castArguments(source, out, extents, transpose).u32(rowTiles).u32(columnTiles)
  const grid = [extents.groups * rowTiles * columnTiles] as const
  return kernel.prepare(args, { grid, block: [THREADS], programmatic: true })
}

/** Members of `QuantizeArguments` (`kernels/cuda/quantize/arguments.cuh`) up to the tiles. */
function castArguments(
  source: Tensor<FloatDType>,
  { values, scales }: QuantizedTensor,
  { rows, columns }: Extents,
  transpose: boolean,
): ArgumentList {
  const grid = scaleGridView(scales, values.shape)
  const list = new ArgumentList('struct').pointer(source).pointer(values)
  return pushScaleGrid(list, transpose ? transposedGrid(grid) : grid)
    .i64(groupStride(source))
    .i64(rowStride(source))
    .i64(groupStride(values))
    .i64(rowStride(values))
    .u32(rows)
    .u32(columns)
}
