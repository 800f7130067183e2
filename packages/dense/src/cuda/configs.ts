// Which kernels serve a range of products, and which of them serves one. Pure.

import {
  chooseSm90Config,
  configsFor,
  type Sm90Choice,
  type Sm90Config,
  type Sm90Device,
  type Sm90Range,
  sm90KernelMembers,
  sm90SharedBytes,
} from '@deepgemm/core/sm90'
import type { DeviceKernelSpec } from '@deepgemm/jit'

/** Rows beyond which the best config stays the same: every multiprocessor has work for many rounds. */
const MOST_ROWS = 16_384
/** Choices that are remembered; M of most callers comes from a small set. */
const MOST_CHOICES = 4096

/** The configs for every M of a range. */
export function gemmConfigs(range: Sm90Range, device: Sm90Device): readonly Sm90Config[] {
  const clamp = (m: number): number => Math.max(1, Math.min(m, MOST_ROWS))
  const { min, max } = range.m
  return configsFor({ ...range, m: { min: clamp(min), max: clamp(max) } }, device)
}

/** What is compiled for a config. */
export function gemmKernel(config: Sm90Config): DeviceKernelSpec {
  const sharedBytes = sm90SharedBytes(config)
  return {
    name: 'fp8_gemm',
    struct: 'GemmConfig',
    config: sm90KernelMembers(config, sharedBytes),
    target: config.target,
    sharedBytes,
  }
}

/** Chooses among configs by M and remembers. */
export class Chooser {
  readonly #configs: readonly Sm90Config[]
  readonly #extents: { readonly n: number; readonly k: number }
  readonly #device: Sm90Device
  readonly #choices = new Map<number, Sm90Choice>()

  constructor(
    configs: readonly Sm90Config[],
    extents: { readonly n: number; readonly k: number },
    device: Sm90Device,
  ) {
    this.#configs = configs
    this.#extents = extents
    this.#device = device
  }

  choose(m: number): Sm90Choice {
    const known = this.#choices.get(m)
    if (known !== undefined) return known
    const choice = chooseSm90Config(this.#configs, { m, ...this.#extents }, this.#device)
    if (this.#choices.size >= MOST_CHOICES) this.#choices.clear()
    this.#choices.set(m, choice)
    return choice
  }
}
