import type { FloatDType, QuantizedTensor, Tensor } from '@deepgemm/core'
import { castConfig, castKernel, deviceKernels, requireCastExtents } from '@deepgemm/jit'
import type { CudaDevice } from '@deepgemm/runtime/cuda'

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
  requireCastExtents('The matrix to quantise', source.shape)
  if (source.size === 0) return undefined
  const config = castConfig(source, out, transpose)
  const kernels = deviceKernels(device)
  const spec = castKernel(config)
  if (kernels.loaded(spec) !== undefined) return undefined
  const other = castKernel({ ...config, aligned: !config.aligned })
  return Promise.all([kernels.load([spec]), kernels.load([other]).catch(() => undefined)])
}
