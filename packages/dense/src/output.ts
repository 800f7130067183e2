import {
  DeviceError,
  type GemmProblem,
  LayoutError,
  OUT_DTYPES,
  requireDType,
  requireSameShape,
  type Tensor,
} from '@deepgemm/core'
import type { Device } from '@deepgemm/runtime'

/** Shape of the product: [M, N], or [G, M, N] for a batch. */
export function outputShape(problem: GemmProblem, batched: boolean): number[] {
  const { groups, m, n } = problem
  return batched ? [groups, m, n] : [m, n]
}

/**
 * Checks the tensor that a product is to be written to. Its rows may have gaps.
 *
 * @throws {ShapeError | DTypeError | LayoutError | DeviceError | DisposedError}
 */
export function requireOutput(
  out: Tensor,
  device: Device,
  problem: GemmProblem,
  batched: boolean,
): void {
  out.requireLive()
  requireDType('The output', out.dtype, OUT_DTYPES)
  requireSameShape('The output', out.shape, outputShape(problem, batched))
  if (problem.n > 1 && out.strides.at(-1) !== 1) {
    throw new LayoutError('The elements of an output row are not back to back', {
      given: `strides [${out.strides.join(', ')}]`,
      allowed: 'an innermost stride of 1',
    })
  }
  if (problem.m > 1 && (out.strides.at(-2) as number) < problem.n) {
    throw new LayoutError('The rows of the output overlap', {
      given: `a row stride of ${out.strides.at(-2)}`,
      allowed: `at least ${problem.n}`,
    })
  }
  if (out.device.id === device.id) return
  throw new DeviceError('The output is on another device than the operands', {
    given: out.device.id,
    allowed: device.id,
  })
}
