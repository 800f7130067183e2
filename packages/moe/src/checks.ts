import {
  DeviceError,
  type DType,
  LayoutError,
  requireDType,
  requireSameShape,
  type Shape,
  ShapeError,
  showShape,
  type Tensor,
} from '@deepgemm/core'
import type { Device } from '@deepgemm/runtime'

/** What a tensor must be. */
export type TensorRule<D extends DType> = {
  readonly dtypes: readonly D[]
  /** Exact shape, or the allowed ranks with a word for what the dimensions are. */
  readonly shape?: Shape
  readonly ranks?: readonly number[]
  readonly dimensions?: string
  /** Default: only the elements of a row must lie back to back. */
  readonly contiguous?: boolean
}

/**
 * Checks an argument of the operations around the grouped product.
 *
 * @throws {DTypeError | ShapeError | LayoutError | DeviceError | DisposedError}
 */
export function requireTensor<D extends DType>(
  subject: string,
  tensor: Tensor,
  device: Device,
  rule: TensorRule<D>,
): Tensor<D> {
  tensor.requireLive()
  requireDType(subject, tensor.dtype, rule.dtypes)
  if (rule.shape !== undefined) requireSameShape(subject, tensor.shape, rule.shape)
  if (rule.ranks !== undefined && !rule.ranks.includes(tensor.shape.length)) {
    throw new ShapeError(`${subject} has the wrong rank`, {
      given: showShape(tensor.shape),
      allowed: rule.dimensions ?? `rank ${rule.ranks.join(' or ')}`,
    })
  }
  requireLayout(subject, tensor, rule.contiguous === true)
  if (tensor.device.id !== device.id) {
    throw new DeviceError(`${subject} is on another device`, {
      given: tensor.device.id,
      allowed: device.id,
    })
  }
  return tensor as Tensor<D>
}

function requireLayout(subject: string, tensor: Tensor, contiguous: boolean): void {
  const rowsWhole = (tensor.shape.at(-1) ?? 0) <= 1 || tensor.strides.at(-1) === 1
  if (contiguous ? tensor.isContiguous : rowsWhole) return
  throw new LayoutError(`${subject} has the wrong strides`, {
    given: `strides [${tensor.strides.join(', ')}] for ${showShape(tensor.shape)}`,
    allowed: contiguous ? 'a contiguous tensor' : 'an innermost stride of 1',
  })
}
