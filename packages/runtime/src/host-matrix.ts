import {
  DeviceError,
  type DeviceRef,
  DTypeError,
  describeValue,
  FLOAT_DTYPES,
  type FloatDType,
  LayoutError,
  requireDType,
  ShapeError,
  showShape,
  Tensor,
} from '@deepgemm/core'
import type { Device } from './device.js'
import { type HostArray, isResizable, isStoredForm } from './host-array.js'

/**
 * A matrix [R, C], or a group of matrices [G, R, C], in host memory, row-major. Float arrays are
 * f32; bf16 and f16 come as their bits in a Uint16Array, with `dtype`.
 */
export type HostMatrix = {
  readonly data: HostArray
  readonly shape: readonly number[]
  readonly dtype?: FloatDType
}

/** Where host data should go: a view of it, or a copy that outlives the call. */
export type HostPlacement = 'view' | 'copy'

/**
 * `x` as a float matrix on `device`, and whether the caller of this function must dispose it.
 *
 * @throws {ShapeError | DTypeError | LayoutError | DeviceError | DisposedError}
 */
export function sourceTensor(
  device: Device,
  x: HostMatrix | Tensor,
  placement: HostPlacement,
): { tensor: Tensor<FloatDType>; temporary: boolean } {
  if (!(x instanceof Tensor)) {
    return { tensor: upload(device, x, placement), temporary: true }
  }
  x.requireLive()
  requireSameDevice(device, x.device)
  requireDType('The matrix to quantise', x.dtype, FLOAT_DTYPES)
  requireMatrix(x.shape)
  if ((x.shape.at(-1) as number) > 1 && x.strides.at(-1) !== 1) {
    throw new LayoutError('The elements of a row to quantise are not back to back', {
      given: `strides [${x.strides.join(', ')}]`,
      allowed: 'an innermost stride of 1',
      remedy: 'Quantise the untransposed tensor with { transpose: true }.',
    })
  }
  return { tensor: x as Tensor<FloatDType>, temporary: false }
}

function upload(device: Device, x: HostMatrix, placement: HostPlacement): Tensor<FloatDType> {
  if (typeof x !== 'object' || x === null) {
    throw new DTypeError('There is no matrix to quantise', {
      given: describeValue(x),
      allowed: 'a Tensor, or { data, shape, dtype }',
    })
  }
  requireMatrix(x.shape)
  const dtype = requireDType('The matrix to quantise', hostDType(x), FLOAT_DTYPES)
  const spec = { dtype, shape: x.shape, label: 'matrix to quantise' }
  const canView =
    placement === 'view' &&
    device.kind === 'cpu' &&
    isStoredForm(x.data, dtype) &&
    !isResizable(x.data)
  return canView ? device.wrap(x.data, spec) : device.tensor(x.data, spec)
}

function hostDType(x: HostMatrix): FloatDType {
  if (x.dtype !== undefined) return x.dtype
  if (x.data instanceof Float32Array || x.data instanceof Float64Array) return 'f32'
  throw new DTypeError('The dtype of host data is not told', {
    given: `a ${x.data?.constructor?.name ?? typeof x.data} without dtype`,
    allowed: "a Float32Array, or a Uint16Array with dtype 'bf16' or 'f16'",
  })
}

function requireMatrix(shape: readonly number[]): void {
  if (Array.isArray(shape) && (shape.length === 2 || shape.length === 3)) return
  throw new ShapeError('The tensor to quantise has the wrong rank', {
    given: Array.isArray(shape) ? showShape(shape) : typeof shape,
    allowed: '[rows, columns] or [groups, rows, columns]',
  })
}

function requireSameDevice(device: Device, actual: DeviceRef): void {
  if (device.id === actual.id) return
  throw new DeviceError('The tensor to quantise is on another device', {
    given: actual.id,
    allowed: device.id,
  })
}
