import { type CheckpointEntry, OptionError } from 'deepgemm'

/**
 * Tensors that stay as they are unless told otherwise: embeddings, norms, router gates and the
 * output head, as in DeepSeek-V3's own FP8 checkpoint.
 */
const KEPT =
  /(^|[._])(embed|embeddings?|embed_tokens|wte|norm|layernorm|ln_\w+|router|lm_head)([._]|$)|(^|\.)gate\.weight$|norm\.weight$/

const SOURCE_DTYPES = ['F32', 'F16', 'BF16']

/** Chooses the weights of a checkpoint to quantise. */
export class WeightSelection {
  readonly #include: readonly RegExp[]
  readonly #exclude: readonly RegExp[]

  /** Patterns are regular expressions on tensor names. @throws {OptionError} */
  constructor(include: readonly string[], exclude: readonly string[]) {
    this.#include = include.map((pattern) => compile('--include', pattern))
    this.#exclude = exclude.map((pattern) => compile('--exclude', pattern))
  }

  /** True for float matrices (or stacks of them) called `….weight` that are not kept. */
  takes({ name, dtype, shape }: CheckpointEntry): boolean {
    const isMatrix = shape.length === 2 || shape.length === 3
    if (!name.endsWith('.weight') || !isMatrix || !SOURCE_DTYPES.includes(dtype)) return false
    if (shape.includes(0) || this.#exclude.some((pattern) => pattern.test(name))) return false
    return this.#include.some((pattern) => pattern.test(name)) || !KEPT.test(name)
  }
}

function compile(option: string, pattern: string): RegExp {
  try {
    return new RegExp(pattern)
  } catch {
    throw new OptionError(`The option ${option} is not a regular expression`, { given: pattern })
  }
}
