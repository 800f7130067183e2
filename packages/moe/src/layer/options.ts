import { requireInteger, type Tensor } from '@deepgemm/core'
import type { Stream } from '@deepgemm/runtime'
import type { Gating } from '../gating.js'
import { MAX_TOKENS, type MoeWeights } from './model.js'

/** How large the batches of a layer may be. */
export type MoeCapacity = {
  /** The most tokens of one run. */
  readonly maxTokens: number
  /**
   * Runs of at most so many tokens use the masked layout, whose shapes do not depend on the
   * routing, as a captured graph needs; larger ones use the packed layout. On a CPU the results
   * have the same bits. Default: 16, or `maxTokens` where that is less.
   */
  readonly maxDecodeTokens?: number
}

export type MoeLayerOptions = MoeWeights & Gating & MoeCapacity

/** What is not given is read from the checkpoint's config. */
export type MoeLoadOptions = Partial<Gating> & MoeCapacity

export type MoeRunOptions = {
  /** [T, E]: what a router of the caller's own says. Default: computed by the layer's router. */
  readonly logits?: Tensor
  /** [T, H], written to instead of a new bf16 tensor. May be `x`. */
  readonly out?: Tensor
  /** Default: the device's default stream. */
  readonly stream?: Stream
}

const DECODE_TOKENS = 16

export type Capacities = Required<MoeCapacity>

/** @throws {OptionError} */
export function resolveCapacity(options: MoeCapacity): Capacities {
  const maxTokens = requireInteger('The option maxTokens', options.maxTokens, 1, MAX_TOKENS)
  const wanted = options.maxDecodeTokens ?? Math.min(DECODE_TOKENS, maxTokens)
  const decode = requireInteger('The option maxDecodeTokens', wanted, 0, maxTokens)
  return { maxTokens, maxDecodeTokens: decode }
}
