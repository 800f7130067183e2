import { type DType, QuantizedTensor, Scales, type Tensor } from '@deepgemm/core'

/** Rows of all groups as one matrix: [G, R, C] to [G · R, C]; a matrix stays as it is. */
export function flatRows<D extends DType>(tensor: Tensor<D>): Tensor<D> {
  if (tensor.shape.length === 2) return tensor
  const [groups, rows, columns] = tensor.shape as readonly [number, number, number]
  return tensor.reshape([groups * rows, columns])
}

/** A quantised tensor with 1x128 scales, k-major, as one matrix. */
export function flattened(tensor: QuantizedTensor): QuantizedTensor {
  if (tensor.shape.length === 2) return tensor
  const { recipe, orientation } = tensor.scales
  const scales = new Scales(flatRows(tensor.scales.tensor), { recipe, orientation })
  return new QuantizedTensor(flatRows(tensor.values), scales)
}
