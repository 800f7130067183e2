import { OptionError } from 'deepgemm'
import type { Model } from './model.js'
import type { Sampler } from './sampler.js'
import type { Tokenizer } from './tokenizer.js'

export type GenerateOptions = {
  readonly prompt: string
  readonly maxTokens: number
  readonly sample: Sampler
  /** Ends the generation early. */
  readonly signal?: AbortSignal
}

/**
 * Continues a prompt, token by token, until `maxTokens` or the model's length is reached. Yields
 * text as it becomes whole characters.
 *
 * @throws {OptionError} when the prompt is empty or longer than the model's length
 */
export async function* generate(
  model: Model,
  tokenizer: Tokenizer,
  { prompt, maxTokens, sample, signal }: GenerateOptions,
): AsyncGenerator<string, void, void> {
  const ids = tokenizer.encode(prompt)
  const sequence = model.start()
  requirePrompt(ids.length, sequence.room)
  const vocabulary = model.config.vocab_size
  let logits = await sequence.append(ids)
  const made: number[] = []
  let shown = ''
  for (let i = 0; i < maxTokens && !signal?.aborted; i++) {
    made.push(sample(logits.slice(-vocabulary)))
    const text = tokenizer.decode(made)
    // A character whose bytes are not all there yet decodes to U+FFFD at the end.
    if (!text.endsWith('\uFFFD')) {
      yield text.slice(shown.length)
      shown = text
    }
    if (sequence.room === 0) return
    logits = await sequence.append(made.slice(-1))
  }
}

function requirePrompt(tokens: number, room: number): void {
  if (tokens > 0 && tokens <= room) return
  throw new OptionError('The prompt does not fit the model', {
    given: `${tokens} tokens`,
    allowed: `1 to ${room} tokens`,
    remedy: tokens === 0 ? 'Give the model a few words to start from.' : 'Shorten the prompt.',
  })
}
