import {
  DeviceError,
  LayoutError,
  requireDType,
  SCALE_DTYPES,
  type ScaleDType,
  ShapeError,
  showShape,
  type Tensor,
} from '@deepgemm/core'

/**
 * An operand of the k-grouped layout: e4m3 values [R, ΣK] and scales [Σ⌈Kg/128⌉, R].
 *
 * Each group's blocks of 128 start at the group's first column, so the scales have a row per group
 * and block. There may be more rows of scales than the groups need.
 */
export type KGroupedMatrix = {
  readonly values: Tensor<'e4m3'>
  readonly scales: Tensor<ScaleDType>
}

/** A k-grouped operand that owns its memory; `quantizeKGrouped` makes it. */
export class KGroupedTensor implements KGroupedMatrix {
  readonly values: Tensor<'e4m3'>
  readonly scales: Tensor<ScaleDType>

  /** @throws {DTypeError | ShapeError | LayoutError | DeviceError} */
  constructor(values: Tensor, scales: Tensor) {
    const matrix = requireKGrouped('A k-grouped tensor', { values, scales })
    this.values = matrix.values
    this.scales = matrix.scales
  }

  dispose(): void {
    this.values.dispose()
    this.scales.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}

/** @throws {DTypeError | ShapeError | LayoutError | DeviceError} when the two do not belong together. */
export function requireKGrouped(
  subject: string,
  { values, scales }: { readonly values: Tensor; readonly scales: Tensor },
): KGroupedMatrix {
  requireDType(`${subject}: its values`, values.dtype, ['e4m3'])
  requireDType(`${subject}: its scales`, scales.dtype, SCALE_DTYPES)
  const fits = values.shape.length === 2 && scales.shape.length === 2
  if (!fits || scales.shape[1] !== values.shape[0]) {
    throw new ShapeError(`${subject} has the wrong shape`, {
      given: `values ${showShape(values.shape)}, scales ${showShape(scales.shape)}`,
      allowed: 'values [rows, ΣK], scales [Σ⌈Kg/128⌉, rows]',
    })
  }
  if ((values.shape[1] as number) > 1 && values.strides[1] !== 1) {
    throw new LayoutError(`${subject}: the elements of a row are not back to back`, {
      given: `strides [${values.strides.join(', ')}]`,
      allowed: 'an innermost stride of 1',
    })
  }
  if (values.device.id !== scales.device.id) {
    throw new DeviceError(`${subject}: values and scales are on different devices`, {
      given: `${values.device.id} and ${scales.device.id}`,
    })
  }
  return { values: values as Tensor<'e4m3'>, scales: scales as Tensor<ScaleDType> }
}
