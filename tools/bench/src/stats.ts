// Pure: what samples taken in turn say.

/** The middle value; the mean of the two middle ones when their number is even. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('There is no median of no values')
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  const upper = sorted[half] as number
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] as number) + upper) / 2
}

/** The value that `share` of the values do not exceed. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError('There is no quantile of no values')
  const sorted = [...values].sort((a, b) => a - b)
  const rank = Math.max(Math.ceil(share * sorted.length), 1)
  return sorted[rank - 1] as number
}

/**
 * How many times longer the peer took: the median over pairs, so that a machine that grows slower
 * during the run takes from both alike. Values above 1 mean that ours was faster.
 */
export function pairedRatio(ours: readonly number[], peer: readonly number[]): number {
  if (ours.length !== peer.length) {
    throw new RangeError(`${ours.length} samples cannot be paired with ${peer.length}`)
  }
  return median(ours.map((seconds, i) => (peer[i] as number) / seconds))
}

/** `value` to four significant digits, as figures are written down. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4))
}
