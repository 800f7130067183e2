// What a grouped product must be for the Hopper kernels. Everything else is refused here.

import { dtypeBytes, LayoutError, RecipeError, ShapeError, type Tensor } from '@deepgemm/core'
import { requireSm90Groups } from '@deepgemm/core/sm90'
import type { GroupedCall } from '../grouped/call.js'

/** What bulk copies need of addresses and of the distance between rows, in bytes. */
const ALIGNMENT = 16

/** Nothing to compute. */
export function isEmptyGrouped({ problem }: Pick<GroupedCall, 'problem'>): boolean {
  const { layout, groups, m, n } = problem
  return m === 0 || n === 0 || (groups === 0 && layout !== 'contiguous')
}

/** @throws {ShapeError | RecipeError | LayoutError} */
export function requireCudaGrouped({ layout, problem, a, b, out }: GroupedCall): void {
  const { groups, m, n, k, recipeB } = problem
  if (groups === 0) {
    throw new ShapeError('The GPU cannot multiply without weights', {
      given: '0 groups',
      allowed: 'at least one group',
    })
  }
  if (layout !== 'k-grouped' && recipeB !== '128x128') {
    throw new RecipeError('The GPU cannot read the scales of B', {
      given: recipeB,
      allowed: '128x128',
      remedy: 'Quantise the weights with 128x128 scales, or use the CPU device.',
    })
  }
  requireSm90Groups({ layout }, { groups, m, n, k, expected: 1 })
  requireRows('The values of A', a.values)
  requireRows('The values of B', b.values)
  requireRows('The output', out)
}

/** Rows at aligned addresses; the matrices of groups must lie back to back. */
function requireRows(subject: string, tensor: Tensor): void {
  const { shape, strides, byteOffset, dtype } = tensor
  const rowStride = strides.at(-2) as number
  const isAligned = [byteOffset, rowStride * dtypeBytes(dtype)].every((x) => x % ALIGNMENT === 0)
  const isOneMatrix =
    shape.length === 2 || shape[0] === 1 || strides[0] === (shape[1] as number) * rowStride
  if (isAligned && isOneMatrix && strides.at(-1) === 1) return
  throw new LayoutError(`${subject} cannot be copied in bulk`, {
    given: `strides [${strides.join(', ')}] of ${dtype}, byte offset ${byteOffset}`,
    allowed: `groups back to back, rows at multiples of ${ALIGNMENT} bytes and whole inside`,
    remedy: 'Use whole tensors, or views that start at such a row and column.',
  })
}
