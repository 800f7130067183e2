import type { FloatDType, QuantizedTensor, Recipe, Tensor } from '@deepgemm/core'
import { type Sm90CastConfig, sm90SourceBlocks } from '@deepgemm/core/sm90'
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
  return loadCast(device, castConfig(source, out, transpose))
}

/** What a cast is, whatever its matrix. */
export type CastKind = {
  readonly source: FloatDType
  readonly recipe: Recipe
  readonly transpose: boolean
}

/** The same for all casts of a kind. @throws {CompileError | CacheError | CudaError} */
export function prepareCudaCastKind(
  device: CudaDevice,
  { source, recipe, transpose }: CastKind,
): Promise<unknown> | undefined {
  const blocks = sm90SourceBlocks(recipe, transpose)
  const kind = { target: 'sm_90a', blocks, transposed: transpose, source } as const
  return loadCast(device, { ...kind, aligned: true })
}

function loadCast(device: CudaDevice, config: Sm90CastConfig): Promise<unknown> | undefined {
  const kernels = deviceKernels(device)
  const spec = castKernel(config)
  if (kernels.loaded(spec) !== undefined) return undefined
  const other = castKernel({ ...config, aligned: !config.aligned })
  return Promise.all([kernels.load([spec]), kernels.load([other]).catch(() => undefined)])
}
