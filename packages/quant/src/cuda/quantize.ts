import type { FloatDType, QuantizedTensor, Tensor } from '@deepgemm/core'
import { SM90_CAST_TILE } from '@deepgemm/core/sm90'
import { deviceKernels } from '@deepgemm/jit'
import {
  ArgumentList,
  type CudaDevice,
  type CudaKernel,
  type CudaStream,
} from '@deepgemm/runtime/cuda'
import { castKernel } from './kernel.js'
import { castConfig, notLoaded, requireCudaCast } from './requirements.js'

const THREADS = 256

/**
 * Compiles and loads the kernel of a cast; undefined when that is done already.
 *
 * @throws {DeviceError | ShapeError | CompileError | CacheError | CudaError}
 */
export function prepareCudaCast(
  device: CudaDevice,
  source: Tensor<FloatDType>,
  out: QuantizedTensor,
  transpose: boolean,
): Promise<unknown> | undefined {
  requireCudaCast(source, out, transpose)
  const spec = castKernel(castConfig(source, out))
  const kernels = deviceKernels(device)
  return source.size === 0 || kernels.loaded(spec) ? undefined : kernels.load([spec])
}

/** @throws {DeviceError | ShapeError} also when the kernel is not loaded */
export function enqueueCudaCast(
  stream: CudaStream,
  source: Tensor<FloatDType>,
  out: QuantizedTensor,
  transpose: boolean,
): void {
  requireCudaCast(source, out, transpose)
  if (source.size === 0) return
  const config = castConfig(source, out)
  const kernel: CudaKernel | undefined = deviceKernels(stream.device).loaded(castKernel(config))
  if (kernel === undefined) throw notLoaded(config)
  const tile = SM90_CAST_TILE[config.recipe]
  const [rows, columns] = source.shape as readonly [number, number]
  const grid = [Math.ceil(rows / tile.rows), Math.ceil(columns / tile.columns)] as const
  kernel.launch(castArguments(source, out), { grid, block: [THREADS], programmatic: true }, stream)
}

/** The members of `QuantizeArguments` (`kernels/cuda/quantize/arguments.cuh`) in their order. */
function castArguments(source: Tensor<FloatDType>, out: QuantizedTensor): ArgumentList {
  const [rows, columns] = source.shape as readonly [number, number]
  const { values, scales } = out
  const { row, col } = scales.gridStrides
  const gridRows = out.recipe === '1x128' ? rows : Math.ceil(rows / 128)
  const paddedRows = scales.orientation === 'mn-major' ? (scales.tensor.shape[1] ?? 0) : gridRows
  return new ArgumentList('struct')
    .pointer(source)
    .pointer(values)
    .pointer(scales.tensor)
    .i64(source.strides[0] as number)
    .i64(values.strides[0] as number)
    .i64(row)
    .i64(col)
    .u32(rows)
    .u32(columns)
    .u32(gridRows)
    .u32(paddedRows)
}
