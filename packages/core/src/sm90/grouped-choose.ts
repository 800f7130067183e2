import type { Sm90Choice } from './choose.js'
import { type Sm90Config, sm90ConfigName } from './config.js'
import type { Sm90Device } from './cost.js'
import type { Sm90Family } from './families.js'
import { sm90GroupedCost } from './grouped-cost.js'
import { sm90GroupedCandidates } from './grouped-families.js'
import type { GroupedExtents } from './grouped-schedule.js'

/** The config that the cost model finds cheapest among `configs`; the earlier one of equals. */
export function chooseGroupedConfig(
  configs: readonly Sm90Config[],
  extents: GroupedExtents,
  device: Sm90Device,
): Sm90Choice {
  const choices = configs.map((config) => ({ config, ...sm90GroupedCost(config, extents, device) }))
  return choices.reduce((best, choice) => (choice.microseconds < best.microseconds ? choice : best))
}

/** Grouped products of one kind and any number of rows up to a bound. */
export type GroupedRange = {
  readonly family: Sm90Family
  readonly groups: number
  readonly n: number
  readonly k: number
  /** The most that a group is expected to have: rows, or columns of K. */
  readonly most: number
  /** And the least; default 1. */
  readonly least?: number
  /** Rows of A; see `GroupedExtents`. */
  readonly m: number
}

/** The configs that are best for some expectation within the range. */
export function groupedConfigsFor(range: GroupedRange, device: Sm90Device): readonly Sm90Config[] {
  const candidates = sm90GroupedCandidates(range.family)
  const best = sampleExpectations(range).map(
    (expected) => chooseGroupedConfig(candidates, { ...range, expected }, device).config,
  )
  return [...new Map(best.map((config) => [sm90ConfigName(config), config])).values()]
}

/** From the least to the most, doubling. */
export function sampleExpectations({
  most,
  least = 1,
}: Pick<GroupedRange, 'most' | 'least'>): readonly number[] {
  const samples = [least]
  for (let expected = 2 * least; expected < most; expected *= 2) samples.push(expected)
  return most > least ? [...samples, most] : samples
}
