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
  /** Configs to end with; default 12. */
  readonly most?: number
}

/**
 * The handful of configs that serves every M of a range: the cheapest ones of a sample of M, from
 * which those are dropped, one by one, that the others replace at the least loss.
 */
export function configsFor(range: Sm90Range, device: Sm90Device): readonly Sm90Config[] {
  const extents = sampleRange(range).map((m) => ({ m, n: range.n, k: range.k }))
  const lines = sm90Candidates(range.family).map((config) => ({
    config,
    costs: extents.map((at) => sm90Cost(config, at, device).microseconds),
  }))
  const best = extents.map((_, at) => cheapest(lines, at))
  let kept = [...new Map(best.map((line) => [sm90ConfigName(line.config), line])).values()]
  while (kept.length > Math.max(1, range.most ?? 12)) kept = withoutLeastMissed(kept)
  return kept.map(({ config }) => config)
}

/** A config with its cost at each place of the sample. */
type Line = { readonly config: Sm90Config; readonly costs: readonly number[] }

function cheapest(lines: readonly Line[], at: number): Line {
  const costOf = ({ costs }: Line): number => costs[at] as number
  return lines.reduce((best, line) => (costOf(line) < costOf(best) ? line : best))
}

/** Sum over the sample of the logarithm of the cost: a loss counts as a ratio, at every M alike. */
function logCost(lines: readonly Line[]): number {
  const [first] = lines
  return (first?.costs ?? []).reduce(
    (sum, _, at) => sum + Math.log(cheapest(lines, at).costs[at] as number),
    0,
  )
}

function withoutLeastMissed(lines: readonly Line[]): Line[] {
  const without = lines.map((_, i) => lines.filter((_, j) => j !== i))
  const losses = without.map(logCost)
  return without[losses.indexOf(Math.min(...losses))] as Line[]
}

/** Values of M from `min` to `max`, denser where a tile of tokens is narrow. */
export function sampleRange({ m: { min, max } }: Pick<Sm90Range, 'm'>): readonly number[] {
  const samples = new Set([Math.max(1, min), Math.max(1, max)])
  for (let m = 8; m <= max; m += m < 64 ? 8 : m < 512 ? 64 : 256) if (m >= min) samples.add(m)
  return [...samples].sort((a, b) => a - b)
}
