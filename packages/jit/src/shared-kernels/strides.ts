import type { Tensor } from '@deepgemm/core'

/** Elements from one group of a tensor to the next; 0 for a tensor without groups. */
export function groupStride(tensor: Tensor): number {
  return tensor.shape.length === 3 ? (tensor.strides[0] as number) : 0
}

/** Elements from one row to the next. */
export function rowStride(tensor: Tensor): number {
  return tensor.strides.at(-2) as number
}
