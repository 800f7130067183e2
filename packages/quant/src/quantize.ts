import {
  FLOAT_DTYPES,
  type FloatDType,
  type QuantizedTensor,
  type Recipe,
  requireBoolean,
  requireDType,
  requireKnownOptions,
  requireOneOf,
  requireRecipe,
  SCALE_DTYPES,
  SCALE_ORIENTATIONS,
  type ScaleDType,
  type ScaleOrientation,
  type Tensor,
} from '@deepgemm/core'
import {
  allocateQuantized,
  type Device,
  finish,
  type HostMatrix,
  type HostPlacement,
  resolveStream,
  type Stream,
  sourceTensor,
} from '@deepgemm/runtime'
import { enqueueCast, prepareCast, prepareCastKind } from './backend.js'

export type QuantizeOptions = {
  /** `ue8m0` rounds every scale up to a power of two. Default `f32`. */
  readonly scaleDType?: ScaleDType
  /** How the scale grid is stored. Default `mn-major` for 1x128 (what a GEMM reads), else `k-major`. */
  readonly orientation?: ScaleOrientation
  /** Quantises the transposed matrix: [R, C] becomes values [C, R]; the recipe speaks of those. */
  readonly transpose?: boolean
  /** Names the result in errors and in `device.memory()`. */
  readonly label?: string
  /** Default: the device's default stream. */
  readonly stream?: Stream
}

const OPTIONS = ['scaleDType', 'orientation', 'transpose', 'label', 'stream']

/**
 * Casts a float matrix [R, C], or a group [G, R, C], to e4m3 with block scales.
 *
 * A block's scale is amax / 448 over its finite elements (amax at least 448 · 2⁻⁶³, so that an
 * all-zero block has the scale 2⁻⁶³); an element becomes x · (448 / amax), rounded to nearest even.
 * NaN stays NaN; infinities saturate to ±448 times their block's scale. With `ue8m0` the scale is
 * the smallest power of two that is not below amax / 448. Blocks at the edges may be partial.
 *
 * Resolves when the result is ready.
 *
 * @throws {ShapeError | DTypeError | LayoutError | RecipeError | OptionError | DeviceError | DisposedError}
 */
export async function quantize(
  device: Device,
  x: HostMatrix | Tensor,
  recipe: Recipe,
  options: QuantizeOptions = {},
): Promise<QuantizedTensor> {
  const cast = open(device, x, recipe, options, 'view')
  try {
    const loading = prepareCast(device, cast.source, cast.out, cast.transpose)
    if (loading !== undefined) await loading
  } catch (error) {
    abandon(cast)
    throw error
  }
  const result = start(cast)
  return finish(cast.stream, result, result)
}

/** Which casts are to come. */
export type QuantizeKind = {
  /** Of the matrices to cast. Default `f32`. */
  readonly dtype?: FloatDType
  /** Default false. */
  readonly transpose?: boolean
}

/**
 * Has a GPU compile and load what `enqueueQuantize` needs for casts of this kind, so that the first
 * one is as quick as the next. A CPU needs nothing.
 *
 * @throws {RecipeError | DTypeError | OptionError | CompileError | CacheError}
 */
export async function prepareQuantize(
  device: Device,
  recipe: Recipe,
  kind: QuantizeKind = {},
): Promise<void> {
  requireKnownOptions('prepareQuantize', kind, ['dtype', 'transpose'])
  requireRecipe('The result of quantize', recipe)
  const source = requireDType('The matrix to quantise', kind.dtype ?? 'f32', FLOAT_DTYPES)
  const transpose = requireBoolean('The option transpose', kind.transpose ?? false)
  await prepareCastKind(device, { source, recipe, transpose })
}

/**
 * As `quantize`, but returns at once: the result is ready for later work on the same stream.
 * Host data is copied before the call returns. `quantize` compiles for a GPU, this does not: a cast
 * of this kind must have been done on it before, or `prepareQuantize` called.
 */
export function enqueueQuantize(
  device: Device,
  x: HostMatrix | Tensor,
  recipe: Recipe,
  options: QuantizeOptions = {},
): QuantizedTensor {
  return start(open(device, x, recipe, options, 'copy'))
}

type Cast = {
  readonly stream: Stream
  readonly source: Tensor<FloatDType>
  /** The source was made for the cast. */
  readonly temporary: boolean
  readonly out: QuantizedTensor
  readonly transpose: boolean
}

function open(
  device: Device,
  x: HostMatrix | Tensor,
  recipe: Recipe,
  options: QuantizeOptions,
  placement: HostPlacement,
): Cast {
  requireOptions(recipe, options)
  const stream = resolveStream(device, options.stream)
  const { tensor: source, temporary } = sourceTensor(device, x, placement)
  const { transpose = false, stream: _, ...spec } = options
  const shape = transpose ? source.transpose().shape : source.shape
  const out = allocateQuantized(device, { ...spec, shape, recipe }, 'any')
  return { stream, source, temporary, out, transpose }
}

function start(cast: Cast): QuantizedTensor {
  const { stream, source, temporary, out, transpose } = cast
  try {
    enqueueCast(stream, source, out, transpose)
  } catch (error) {
    abandon(cast)
    throw error
  }
  if (temporary) source.dispose()
  return out
}

function abandon({ source, temporary, out }: Cast): void {
  if (temporary) source.dispose()
  out.dispose()
}

function requireOptions(recipe: Recipe, options: QuantizeOptions): void {
  requireKnownOptions('quantize', options, OPTIONS)
  requireRecipe('The result of quantize', recipe)
  requireBoolean('The option transpose', options.transpose ?? false)
  requireOneOf('The option scaleDType', options.scaleDType ?? 'f32', SCALE_DTYPES)
  requireOneOf('The option orientation', options.orientation ?? 'k-major', SCALE_ORIENTATIONS)
}
