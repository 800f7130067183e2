import { requireDType } from './dtype.js'
import { DeviceError, LayoutError, OptionError } from './errors.js'
import { describeValue, requireBoolean } from './options.js'
import { OUT_DTYPES, type OutDType } from './problem.js'
import { requireSameShape, type Shape } from './shape.js'
import type { DeviceRef } from './storage.js'
import { Tensor } from './tensor.js'

/** What every product lets its caller say about the output. */
export type OutputOptions = {
  /** Written to instead of a new tensor. */
  readonly out?: Tensor
  /** Dtype of a new output. */
  readonly outDType?: OutDType
  /** Adds the product to `out`, which must be given. Default false. */
  readonly accumulate?: boolean
}

/** Dtype of the output and whether it is added to. @throws {OptionError | DTypeError} */
export function requireOutputOptions(
  { out, outDType, accumulate = false }: OutputOptions,
  defaultDType: OutDType,
): { readonly out: OutDType; readonly accumulate: boolean } {
  requireBoolean('The option accumulate', accumulate)
  if (out !== undefined && !(out instanceof Tensor)) {
    throw new OptionError('The option out is not a tensor', {
      given: describeValue(out),
      allowed: 'a Tensor of the device',
    })
  }
  if (accumulate && out === undefined) {
    throw new OptionError('The option accumulate has nothing to add to', {
      given: 'accumulate without out',
      remedy: 'Pass the tensor to add to as out.',
    })
  }
  if (out !== undefined && outDType !== undefined && out.dtype !== outDType) {
    throw new OptionError('The options out and outDType disagree', {
      given: `an ${out.dtype} tensor and ${outDType}`,
      remedy: 'Leave outDType out when out is given.',
    })
  }
  const dtype = requireDType('The output', out?.dtype ?? outDType ?? defaultDType, OUT_DTYPES)
  return { out: dtype, accumulate }
}

/**
 * Checks the tensor that a product of `shape` is to be written to. Its rows may have gaps.
 *
 * @throws {ShapeError | DTypeError | LayoutError | DeviceError | DisposedError}
 */
export function requireOutput(out: Tensor, shape: Shape, device: DeviceRef): void {
  out.requireLive()
  requireDType('The output', out.dtype, OUT_DTYPES)
  requireSameShape('The output', out.shape, shape)
  const [rows, columns] = [shape.at(-2) as number, shape.at(-1) as number]
  const rowStride = out.strides.at(-2) as number
  if (columns > 1 && out.strides.at(-1) !== 1) {
    throw new LayoutError('The elements of an output row are not back to back', {
      given: `strides [${out.strides.join(', ')}]`,
      allowed: 'an innermost stride of 1',
    })
  }
  requireApart('rows', rows, rowStride, columns)
  const span = rows === 0 ? 0 : (rows - 1) * rowStride + columns
  if (shape.length === 3) requireApart('groups', shape[0] as number, out.strides[0] as number, span)
  if (out.device.id === device.id) return
  throw new DeviceError('The output is on another device than the operands', {
    given: out.device.id,
    allowed: device.id,
  })
}

function requireApart(what: 'rows' | 'groups', count: number, stride: number, span: number): void {
  if (count <= 1 || stride >= span) return
  throw new LayoutError(`The ${what} of the output overlap`, {
    given: `a stride of ${stride}`,
    allowed: `at least ${span}`,
  })
}
