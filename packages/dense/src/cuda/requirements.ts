// What a product must be for the Hopper kernels. Everything else is refused here.

import { dtypeBytes, LayoutError, type Tensor } from '@deepgemm/core'
import { requireSm90Extents } from '@deepgemm/core/sm90'
import type { GemmCall } from '../backend.js'

/** What bulk copies need of addresses and of the distance between rows, in bytes. */
export const ALIGNMENT = 16

/**
 * Operands that are stored with K outermost are copied for the kernels, scales of any layout too:
 * neither has to be aligned.
 *
 * @throws {ShapeError | LayoutError}
 */
export function requireCudaCall({ form, problem, a, b, out }: GemmCall): void {
  requireSm90Extents(problem)
  if (form[0] === 'N') requireRows('The values of A', a.values)
  if (form[1] === 'T') requireRows('The values of B', b.values)
  requireRows('The output', out)
}

function requireRows(subject: string, tensor: Tensor): void {
  const { strides, byteOffset } = tensor
  const width = dtypeBytes(tensor.dtype)
  const outer = strides.slice(0, -1)
  const isAligned = [byteOffset, ...outer.map((stride) => stride * width)].every(
    (bytes) => bytes % ALIGNMENT === 0,
  )
  if (isAligned && strides.at(-1) === 1) return
  throw new LayoutError(`${subject} cannot be copied in bulk`, {
    given: `strides [${strides.join(', ')}] of ${tensor.dtype}, byte offset ${byteOffset}`,
    allowed: `rows back to back inside, at multiples of ${ALIGNMENT} bytes`,
    remedy: 'Use whole tensors, or views that start at such a row and column.',
  })
}
