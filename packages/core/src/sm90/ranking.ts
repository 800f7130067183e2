import { type Sm90Choice, sampleRange } from './choose.js'
import type { Sm90Config } from './config.js'
import { type Sm90Device, sm90Cost } from './cost.js'
import type { GemmExtents } from './schedule.js'

/** How many choices are worth a measurement. */
export type Sm90Shortlist = {
  readonly most: number
  /** Predicted time of the last one over that of the first. */
  readonly within: number
}

/**
 * The choices that the cost model finds cheapest among `configs`, the cheapest first: single
 * predictions are off by more than the best few differ, so that a measurement may order them anew.
 */
export function rankSm90Choices(
  configs: readonly Sm90Config[],
  extents: GemmExtents,
  device: Sm90Device,
  { most, within }: Sm90Shortlist,
): readonly Sm90Choice[] {
  const choices = configs.map((config) => ({ config, ...sm90Cost(config, extents, device) }))
  choices.sort((a, b) => a.microseconds - b.microseconds)
  const limit = (choices[0]?.microseconds ?? 0) * within
  return choices.slice(0, most).filter(({ microseconds }) => microseconds <= limit)
}

/**
 * Values of M that stand for a range: each for itself and all below it, down to the one before.
 * `most` of them at most, the last one always.
 */
export function tuningPoints(
  range: { readonly min: number; readonly max: number },
  most: number,
): readonly number[] {
  const samples = sampleRange({ m: range })
  const step = Math.max(1, Math.ceil(samples.length / most))
  return samples.filter((_, i) => (samples.length - 1 - i) % step === 0)
}
