/** Positions in descending order of score. */
export type Ranking = {
  readonly order: number[]
  /** Smallest difference of two scores whose order decided, down to the first one left out. */
  readonly gap: number
}

/** Difference of two scores; infinite when one is NaN, which no rounding reorders. */
export function gapOf(x: number, y: number): number {
  const gap = Math.abs(x - y)
  return Number.isNaN(gap) ? Number.POSITIVE_INFINITY : gap
}

/**
 * The `count` best positions: NaN below all numbers, equal scores by position.
 *
 * Neighbours of the same origin (equal inputs have equal scores in any arithmetic) leave no gap.
 */
export function rank(
  scores: readonly number[],
  count: number,
  origin: (position: number) => unknown = (position) => position,
): Ranking {
  const order = scores.map((_, position) => position)
  order.sort((i, j) => compare(scores[i] as number, scores[j] as number) || i - j)
  let gap = Number.POSITIVE_INFINITY
  for (let place = 0; place < Math.min(count, order.length - 1); place++) {
    const [here, next] = [order[place] as number, order[place + 1] as number]
    if (origin(here) === origin(next)) continue
    gap = Math.min(gap, gapOf(scores[here] as number, scores[next] as number))
  }
  return { order: order.slice(0, count), gap }
}

function compare(x: number, y: number): number {
  if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y))
  // Not y − x: two infinities would give NaN.
  return x === y ? 0 : x > y ? -1 : 1
}
