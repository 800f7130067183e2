// Pure: what repeated samples say about a figure, and how sure it is.

import { median } from '../stats.js'

export type Interval = { readonly middle: number; readonly low: number; readonly high: number }

/** How sure an interval is, where there are enough samples for it. */
const CONFIDENCE = 0.95

/** Samples from which on an interval can be that sure: of fewer, it spans all of them. */
export const ENOUGH_SAMPLES = 6

/**
 * The median, and the interval between two order statistics that holds the true median with a
 * probability of at least 95 %, whatever the distribution. Of fewer than 6 samples: all of them.
 */
export function medianInterval(samples: readonly number[]): Interval {
  const sorted = [...samples].sort((a, b) => a - b)
  const skipped = skippedEachSide(sorted.length)
  return {
    middle: median(sorted),
    low: sorted[skipped] as number,
    high: sorted[sorted.length - 1 - skipped] as number,
  }
}

/** How many samples may be left out at each end so that the rest is still sure enough. */
function skippedEachSide(count: number): number {
  let outside = 0
  let choose = 1
  for (let below = 0; ; below++) {
    outside += choose / 2 ** count // exactly `below` samples are less than the true median
    if (outside > (1 - CONFIDENCE) / 2) return Math.max(0, below - 1)
    choose = (choose * (count - below)) / (below + 1)
  }
}

/** What noise means, for people: `half the interval that …`. */
export function noiseText(rounds: number): string {
  if (rounds < ENOUGH_SAMPLES) return 'half the range of all rounds: too few to be sure'
  return `half the interval that holds the median with ${100 * CONFIDENCE} % certainty`
}

/** How many times longer the other took, over the rounds that both were in. */
export function ratioInterval(ours: readonly number[], other: readonly number[]): Interval {
  const pairs = Math.min(ours.length, other.length)
  const ratios = ours.slice(0, pairs).map((time, i) => (other[i] as number) / time)
  return medianInterval(ratios)
}

/** Half the width of an interval over its middle: 0.02 reads as 2 %. */
export function relativeNoise({ middle, low, high }: Interval): number {
  return (high - low) / 2 / middle
}
