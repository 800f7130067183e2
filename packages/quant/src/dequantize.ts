import {
  FLOAT_DTYPES,
  type FloatDType,
  type QuantizedTensor,
  requireDType,
  requireKnownOptions,
  requireQuantized,
  type Tensor,
} from '@deepgemm/core'
import { type Device, finish, resolveStream, type Stream } from '@deepgemm/runtime'
import { enqueueUncast, prepareUncast } from './backend.js'

export type DequantizeOptions = {
  /** Default `f32`. */
  readonly dtype?: FloatDType
  /** Default: the device's default stream. */
  readonly stream?: Stream
}

/**
 * The real values of a quantised tensor, value × scale, in the same shape. The f32 product is
 * rounded to the dtype; f16 overflows to infinity. NaN codes and NaN scales give NaN.
 *
 * Resolves when the result is ready.
 *
 * @throws {DTypeError | OptionError | ShapeError | DeviceError | DisposedError}
 */
export async function dequantize(
  source: QuantizedTensor,
  options: DequantizeOptions = {},
): Promise<Tensor<FloatDType>> {
  requireKnownOptions('dequantize', options, ['dtype', 'stream'])
  requireQuantized('The source of dequantize', source).requireLive()
  const dtype = requireDType('The result of dequantize', options.dtype ?? 'f32', FLOAT_DTYPES)
  const stream = resolveStream(source.device, options.stream)
  const device = source.device as Device
  const out = device.empty({ dtype, shape: source.shape, label: 'dequantised' })
  try {
    const loading = prepareUncast(device, source, out)
    if (loading !== undefined) await loading
    enqueueUncast(stream, source, out)
  } catch (error) {
    out.dispose()
    throw error
  }
  return finish(stream, out, out)
}
