import type { GemmProblem } from '@deepgemm/core'

/** Shape of the product: [M, N], or [G, M, N] for a batch. */
export function outputShape(problem: GemmProblem, batched: boolean): number[] {
  const { groups, m, n } = problem
  return batched ? [groups, m, n] : [m, n]
}
