import {
  QuantizedTensor,
  requireKnownOptions,
  requireOneOf,
  requireQuantized,
  SCALE_DTYPES,
  SCALE_ORIENTATIONS,
  type ScaleDType,
  type ScaleOrientation,
  type Scales,
} from '@deepgemm/core'
import { allocateScales, type Device, resolveStream, type Stream } from '@deepgemm/runtime'
import { enqueueRelayout, prepareRelayout } from './backend.js'

export type ScaleLayoutOptions = {
  /** Default: as it is. */
  readonly orientation?: ScaleOrientation
  /** `f32` takes any scale; `ue8m0` only powers of two. Default: as it is. */
  readonly scaleDType?: ScaleDType
  /** Default: the device's default stream. */
  readonly stream?: Stream
}

/**
 * The same values with their scales in another orientation or format. The result shares the values
 * with `source` and owns new scales. Nothing is ever rounded: f32 scales that are no powers of two
 * do not become `ue8m0`.
 *
 * Resolves when the result is ready.
 *
 * @throws {RecipeError} when a scale has no exact `ue8m0` form
 * @throws {OptionError | DeviceError | DisposedError}
 */
export async function relayoutScales(
  source: QuantizedTensor,
  options: ScaleLayoutOptions,
): Promise<QuantizedTensor> {
  requireKnownOptions('relayoutScales', options, ['orientation', 'scaleDType', 'stream'])
  requireQuantized('The source of relayoutScales', source).requireLive()
  const { scales, shape, recipe } = source
  const orientation = requireOneOf(
    'The option orientation',
    options.orientation ?? scales.orientation,
    SCALE_ORIENTATIONS,
  )
  const scaleDType = requireOneOf(
    'The option scaleDType',
    options.scaleDType ?? scales.dtype,
    SCALE_DTYPES,
  )
  const stream = resolveStream(source.device, options.stream)
  const device = source.device as Device
  const out = allocateScales(device, { shape, recipe, orientation, scaleDType }, 'any')
  try {
    const loading = prepareRelayout(device)
    if (loading !== undefined) await loading
    await copyScales(stream, scales, out, shape)
  } catch (error) {
    out.dispose()
    throw error
  }
  return new QuantizedTensor(source.values, out)
}

/** Resolves when `out` is ready. @throws {RecipeError} when a scale has no form in it */
async function copyScales(
  stream: Stream,
  scales: Scales,
  out: Scales,
  shape: readonly number[],
): Promise<void> {
  const verdict = enqueueRelayout(stream, scales, out, shape)
  try {
    await stream.synchronize()
    await verdict?.requireExact()
  } finally {
    verdict?.dispose()
  }
}
