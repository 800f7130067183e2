import { requireDType } from './dtype.js'
import { DeviceError, DTypeError, LayoutError, ShapeError } from './errors.js'
import { describeValue } from './options.js'
import type { Recipe } from './recipe.js'
import type { Scales } from './scales.js'
import { type Shape, showShape } from './shape.js'
import type { DeviceRef } from './storage.js'
import type { Tensor } from './tensor.js'

/**
 * An e4m3 matrix [R, C], or a group of them [G, R, C], together with its scales.
 * Rows may have gaps between them; the elements of a row lie back to back.
 */
export class QuantizedTensor {
  readonly values: Tensor<'e4m3'>
  readonly scales: Scales

  /** @throws {DTypeError | ShapeError | LayoutError | DeviceError} when the two do not belong together. */
  constructor(values: Tensor, scales: Scales) {
    requireDType('The quantised values', values.dtype, ['e4m3'])
    if (values.shape.length !== 2 && values.shape.length !== 3) {
      throw new ShapeError('A quantised tensor has the wrong rank', {
        given: showShape(values.shape),
        allowed: '[rows, columns] or [groups, rows, columns]',
      })
    }
    if ((values.shape.at(-1) as number) > 1 && values.strides.at(-1) !== 1) {
      throw new LayoutError('The elements of a row of quantised values are not back to back', {
        given: `strides [${values.strides.join(', ')}]`,
        allowed: 'an innermost stride of 1',
        remedy: 'Use the NN, TN or TT form for a transposed operand.',
      })
    }
    if (values.device.id !== scales.tensor.device.id) {
      throw new DeviceError('Values and scales are on different devices', {
        given: `${values.device.id} and ${scales.tensor.device.id}`,
        allowed: 'one device for both',
      })
    }
    scales.requireFor('The quantised values', values.shape)
    this.values = values as Tensor<'e4m3'>
    this.scales = scales
  }

  get shape(): Shape {
    return this.values.shape
  }

  get recipe(): Recipe {
    return this.scales.recipe
  }

  get device(): DeviceRef {
    return this.values.device
  }

  /** Bytes of values and scales. */
  get byteLength(): number {
    return this.values.byteLength + this.scales.tensor.byteLength
  }

  /** @throws {DisposedError} when the values or the scales were disposed. */
  requireLive(): void {
    this.values.requireLive()
    this.scales.tensor.requireLive()
  }

  dispose(): void {
    this.values.dispose()
    this.scales.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}

/** @throws {DTypeError} when an operand is no quantised tensor. */
export function requireQuantized(subject: string, value: unknown): QuantizedTensor {
  if (value instanceof QuantizedTensor) return value
  throw new DTypeError(`${subject} is not a quantised tensor`, {
    given: describeValue(value),
    allowed: 'a QuantizedTensor',
    remedy: 'Make one with quantize().',
  })
}
