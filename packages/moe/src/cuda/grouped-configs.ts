// Which kernels serve a range of grouped products, and which of them serves one. Pure.

import {
  chooseGroupedConfig,
  type GroupedExtents,
  groupedConfigsFor,
  type Sm90Choice,
  type Sm90Config,
  type Sm90Device,
  sm90KernelMembers,
  sm90SharedBytes,
} from '@deepgemm/core/sm90'
import type { DeviceKernelSpec } from '@deepgemm/jit'
import type { GroupedRange } from '../grouped/call.js'

/** Choices that are remembered; M of most callers comes from a small set. */
const MOST_CHOICES = 4096

/** The configs for every product of a range. */
export function groupedConfigs(range: GroupedRange, device: Sm90Device): readonly Sm90Config[] {
  const { layout, groups, m, n, k, out, accumulate, expected } = range
  const recipeB = layout === 'k-grouped' ? '1x128' : '128x128'
  const family = { layout, recipeB, out, accumulate } as const
  return groupedConfigsFor({ family, groups, n, k, m: m.max, ...expected }, device)
}

/** What is compiled for a config. */
export function groupedKernel(config: Sm90Config): DeviceKernelSpec {
  const sharedBytes = sm90SharedBytes(config)
  return {
    name: 'fp8_gemm',
    struct: 'GemmConfig',
    config: sm90KernelMembers(config, sharedBytes),
    target: config.target,
    sharedBytes,
  }
}

/** Chooses among configs by what the host knows of a product, and remembers. */
export class GroupedChooser {
  readonly #configs: readonly Sm90Config[]
  readonly #device: Sm90Device
  readonly #choices = new Map<string, Sm90Choice>()

  constructor(configs: readonly Sm90Config[], device: Sm90Device) {
    this.#configs = configs
    this.#device = device
  }

  choose(extents: GroupedExtents): Sm90Choice {
    const key = `${extents.m} ${extents.k} ${extents.expected}`
    const known = this.#choices.get(key)
    if (known !== undefined) return known
    const choice = chooseGroupedConfig(this.#configs, extents, this.#device)
    if (this.#choices.size >= MOST_CHOICES) this.#choices.clear()
    this.#choices.set(key, choice)
    return choice
  }
}
