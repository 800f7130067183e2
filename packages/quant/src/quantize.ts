import {
  type QuantizedTensor,
  type Recipe,
  requireBoolean,
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
import { enqueueCast } from './backend.js'

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
  const result = start(device, x, recipe, options, 'view')
  return finish(resolveStream(device, options.stream), result, result)
}

/**
 * As `quantize`, but returns at once: the result is ready for later work on the same stream.
 * Host data is copied before the call returns.
 */
export function enqueueQuantize(
  device: Device,
  x: HostMatrix | Tensor,
  recipe: Recipe,
  options: QuantizeOptions = {},
): QuantizedTensor {
  return start(device, x, recipe, options, 'copy')
}

function start(
  device: Device,
  x: HostMatrix | Tensor,
  recipe: Recipe,
  options: QuantizeOptions,
  placement: HostPlacement,
): QuantizedTensor {
  requireOptions(recipe, options)
  const stream = resolveStream(device, options.stream)
  const { tensor: source, temporary } = sourceTensor(device, x, placement)
  const { transpose = false, stream: _, ...spec } = options
  const shape = transpose ? source.transpose().shape : source.shape
  const out = allocateQuantized(device, { ...spec, shape, recipe })
  enqueueCast(stream, source, out, transpose)
  if (temporary) source.dispose()
  return out
}

function requireOptions(recipe: Recipe, options: QuantizeOptions): void {
  requireKnownOptions('quantize', options, OPTIONS)
  requireRecipe('The result of quantize', recipe)
  requireBoolean('The option transpose', options.transpose ?? false)
  requireOneOf('The option scaleDType', options.scaleDType ?? 'f32', SCALE_DTYPES)
  requireOneOf('The option orientation', options.orientation ?? 'k-major', SCALE_ORIENTATIONS)
}
