import type { Model } from './model.js'

export type PerplexityOptions = {
  /** Tokens per window; windows do not overlap and each starts from nothing. */
  readonly window: number
  /** Told the tokens of every window that is done. */
  readonly advance?: (tokens: number) => void
}

export type Perplexity = {
  /** exp of the mean negative log-likelihood per token. */
  readonly perplexity: number
  /** Mean negative log-likelihood per token, in nats. */
  readonly nll: number
  /** Tokens scored: the first of each window is not. */
  readonly tokens: number
}

/** How well a model predicts a text it has not seen; lower is better. */
export async function perplexity(
  model: Model,
  ids: readonly number[],
  { window, advance }: PerplexityOptions,
): Promise<Perplexity> {
  let sum = 0
  let tokens = 0
  for (let start = 0; start + 1 < ids.length; start += window) {
    const part = ids.slice(start, start + window)
    const logits = await model.start().append(part.slice(0, -1))
    sum += negativeLogLikelihood(logits, part.slice(1), model.config.vocab_size)
    tokens += part.length - 1
    advance?.(part.length)
  }
  const nll = sum / tokens
  return { perplexity: Math.exp(nll), nll, tokens }
}

/** −Σ ln softmax(logits)[target] over rows of logits. */
function negativeLogLikelihood(
  logits: Float32Array,
  targets: readonly number[],
  vocabulary: number,
): number {
  return targets.reduce((total, target, row) => {
    const at = row * vocabulary
    let max = Number.NEGATIVE_INFINITY
    for (let i = 0; i < vocabulary; i++) max = Math.max(max, logits[at + i] as number)
    let sum = 0
    for (let i = 0; i < vocabulary; i++) sum += Math.exp((logits[at + i] as number) - max)
    return total + Math.log(sum) + max - (logits[at + target] as number)
  }, 0)
}
