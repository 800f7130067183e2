import { type Sm90Config, sm90ConfigName } from './config.js'
import { type Sm90Cost, type Sm90Device, sm90Cost } from './cost.js'
import { type Sm90Family, sm90Candidates } from './families.js'
import type { GemmExtents } from './schedule.js'

export type Sm90Choice = Sm90Cost & { readonly config: Sm90Config }

/** The config that the cost model finds cheapest among `configs`; the earlier one of equals. */
export function chooseSm90Config(
  configs: readonly Sm90Config[],
  extents: GemmExtents,
  device: Sm90Device,
): Sm90Choice {
  const choices = configs.map((config) => ({ config, ...sm90Cost(config, extents, device) }))
  return choices.reduce((best, choice) => (choice.microseconds < best.microseconds ? choice : best))
}

export type Sm90Range = {
  readonly family: Sm90Family
  readonly n: number
  readonly k: number
  readonly m: { readonly min: number; readonly max: number }
  /** Configs to end with; default 6. */
  readonly most?: number
}

/**
 * The handful of configs that serves every M of a range: the cheapest ones of a sample of M, from
 * which those are dropped, one by one, that the others replace at the least loss.
 */
export function configsFor(range: Sm90Range, device: Sm90Device): readonly Sm90Config[] {
  const extents = sampleRange(range).map((m) => ({ m, n: range.n, k: range.k }))
  const candidates = sm90Candidates(range.family)
  const best = extents.map((at) => chooseSm90Config(candidates, at, device))
  let kept = [...new Map(best.map(({ config }) => [sm90ConfigName(config), config])).values()]
  while (kept.length > Math.max(1, range.most ?? 6))
    kept = withoutLeastMissed(kept, extents, device)
  return kept
}

/** Sum over the sample of the logarithm of the cost: a loss counts as a ratio, at every M alike. */
function logCost(
  configs: readonly Sm90Config[],
  extents: readonly GemmExtents[],
  device: Sm90Device,
): number {
  return extents.reduce(
    (sum, at) => sum + Math.log(chooseSm90Config(configs, at, device).microseconds),
    0,
  )
}

function withoutLeastMissed(
  configs: readonly Sm90Config[],
  extents: readonly GemmExtents[],
  device: Sm90Device,
): Sm90Config[] {
  const without = configs.map((_, i) => configs.filter((_, j) => j !== i))
  const losses = without.map((rest) => logCost(rest, extents, device))
  return without[losses.indexOf(Math.min(...losses))] as Sm90Config[]
}

/** Values of M from `min` to `max`, denser where a tile of tokens is narrow. */
export function sampleRange({ m: { min, max } }: Pick<Sm90Range, 'm'>): readonly number[] {
  const samples = new Set([Math.max(1, min), Math.max(1, max)])
  for (let m = 8; m <= max; m += m < 64 ? 8 : m < 512 ? 64 : 256) if (m >= min) samples.add(m)
  return [...samples].sort((a, b) => a - b)
}
