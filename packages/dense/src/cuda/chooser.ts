// Which of a plan's kernels serves a product. Pure.

import {
  chooseSm90Config,
  type Sm90Choice,
  type Sm90Config,
  type Sm90Device,
} from '@deepgemm/core/sm90'

/** Choices that are remembered; M of most callers comes from a small set. */
const MOST_CHOICES = 4096

/** Configs that serve an M, for the cost model to choose among and to deal out tiles. */
export type ConfigsOf = (m: number) => readonly Sm90Config[]

/** Chooses by M and remembers. */
export class Chooser {
  readonly #configsOf: ConfigsOf
  readonly #extents: { readonly n: number; readonly k: number }
  readonly #device: Sm90Device
  readonly #choices = new Map<number, Sm90Choice>()

  constructor(
    configsOf: ConfigsOf,
    extents: { readonly n: number; readonly k: number },
    device: Sm90Device,
  ) {
    this.#configsOf = configsOf
    this.#extents = extents
    this.#device = device
  }

  choose(m: number): Sm90Choice {
    const known = this.#choices.get(m)
    if (known !== undefined) return known
    const choice = chooseSm90Config(this.#configsOf(m), { m, ...this.#extents }, this.#device)
    if (this.#choices.size >= MOST_CHOICES) this.#choices.clear()
    this.#choices.set(m, choice)
    return choice
  }
}
