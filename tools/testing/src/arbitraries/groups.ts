import fc from 'fast-check'
import { createRandom } from '../random.js'
import { extents } from './shapes.js'

/** Bounds of random group sizes. */
export type GroupOptions = {
  readonly maxGroups?: number
  /** Rows (or columns of K) of one group at most. */
  readonly maxSize?: number
}

/**
 * Sizes of groups as routing makes them: independent ones with empty groups among them, all rows
 * in one group, all groups empty, one row each.
 */
export function groupSizes(options: GroupOptions = {}): fc.Arbitrary<number[]> {
  const { maxGroups = 6, maxSize = 140 } = options
  const size = fc.oneof(
    { weight: 1, arbitrary: fc.constant(0) },
    { weight: 4, arbitrary: extents({ max: maxSize }) },
  )
  const count = fc.integer({ min: 1, max: maxGroups })
  const lone = fc
    .tuple(count, fc.nat(), extents({ max: maxSize }))
    .map(([groups, at, rows]) => oneHot(groups, at % groups, rows))
  return fc.oneof(
    { weight: 6, arbitrary: fc.array(size, { minLength: 1, maxLength: maxGroups }) },
    { weight: 2, arbitrary: lone },
    { weight: 1, arbitrary: count.map((groups) => new Array<number>(groups).fill(0)) },
    { weight: 1, arbitrary: count.map((groups) => new Array<number>(groups).fill(1)) },
  )
}

function oneHot(groups: number, at: number, rows: number): number[] {
  const sizes = new Array<number>(groups).fill(0)
  sizes[at] = rows
  return sizes
}

/** Distinct experts per token, [tokens, topK], with a skew towards low indices. */
export function expertIndices(
  seed: number,
  { tokens, topK, experts }: { tokens: number; topK: number; experts: number },
): Int32Array<ArrayBuffer> {
  if (topK > experts) throw new Error(`${topK} distinct experts of ${experts}`)
  const random = createRandom(seed)
  const out = new Int32Array(tokens * topK)
  for (let token = 0; token < tokens; token++) {
    const chosen = new Set<number>()
    while (chosen.size < topK) chosen.add(Math.floor(experts * random.uniform() * random.uniform()))
    out.set([...chosen], token * topK)
  }
  return out
}
