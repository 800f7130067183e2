import type { Sm90Config } from './config.js'
import { type Sm90Family, sm90Candidates } from './families.js'
import { sm90GroupedCandidates } from './grouped-families.js'

export const SM90_FAMILIES: readonly Sm90Family[] = [
  { recipeB: '128x128', out: 'bf16', accumulate: false },
  { recipeB: '128x128', out: 'f32', accumulate: false },
  { recipeB: '128x128', out: 'f32', accumulate: true },
  { recipeB: '128x128', out: 'bf16', accumulate: true },
  { recipeB: '1x128', out: 'f32', accumulate: false },
  { recipeB: '1x128', out: 'f32', accumulate: true },
  { recipeB: '1x128', out: 'bf16', accumulate: false },
]

/** Of grouped products: what a mixture of experts and its weight gradients are made of. */
export const SM90_GROUP_FAMILIES: readonly Sm90Family[] = [
  { layout: 'contiguous', recipeB: '128x128', out: 'bf16', accumulate: false },
  { layout: 'packed', recipeB: '128x128', out: 'bf16', accumulate: false },
  { layout: 'masked', recipeB: '128x128', out: 'bf16', accumulate: false },
  { layout: 'k-grouped', recipeB: '1x128', out: 'f32', accumulate: false },
  { layout: 'k-grouped', recipeB: '1x128', out: 'f32', accumulate: true },
]

/**
 * Configs to compile as a check: all of the first family, and of the ones that store or scale
 * differently the widest tile of each kind, where registers are scarcest.
 */
export function sm90CoveringConfigs(): readonly Sm90Config[] {
  const [first, ...others] = SM90_FAMILIES
  const widest = others.flatMap((family) => [...widestByKind(sm90Candidates(family)).values()])
  const grouped = SM90_GROUP_FAMILIES.flatMap((family) => [
    ...widestByKind(sm90GroupedCandidates(family)).values(),
  ])
  return [...(first === undefined ? [] : sm90Candidates(first)), ...widest, ...grouped]
}

function widestByKind(configs: readonly Sm90Config[]): ReadonlyMap<string, Sm90Config> {
  return new Map(configs.map((config) => [`${config.swapped} ${config.blockLeft}`, config]))
}
