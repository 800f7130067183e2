import { OptionError } from 'deepgemm'

/** A linear layer of a model: D [tokens, n] = A [tokens, k] · B [n, k]ᵀ. */
export type ModelLayer = {
  readonly name: string
  readonly n: number
  readonly k: number
  /** Experts that share the shape; 1 for a dense layer. */
  readonly experts: number
}

const dense = (name: string, n: number, k: number): ModelLayer => ({ name, n, k, experts: 1 })

/** Shapes as published, with the projections that servers fuse fused. */
const MODELS: Readonly<Record<string, readonly ModelLayer[]>> = {
  'deepseek-v3': [
    dense('q and kv down', 2112, 7168),
    dense('q up', 24576, 1536),
    dense('kv up', 32768, 512),
    dense('attention output', 7168, 16384),
    dense('dense gate and up', 36864, 7168),
    dense('dense down', 7168, 18432),
    dense('shared gate and up', 4096, 7168),
    dense('shared down', 7168, 2048),
    { name: 'expert gate and up', n: 4096, k: 7168, experts: 256 },
    { name: 'expert down', n: 7168, k: 2048, experts: 256 },
  ],
  /** Qwen3-30B-A3B. */
  'qwen3-moe': [
    dense('q, k and v', 5120, 2048),
    dense('attention output', 2048, 4096),
    { name: 'expert gate and up', n: 1536, k: 2048, experts: 128 },
    { name: 'expert down', n: 2048, k: 768, experts: 128 },
  ],
}

export const MODEL_NAMES: readonly string[] = Object.keys(MODELS)

/** The layers of a model with a name; undefined for what may be a folder. */
export function namedModel(name: string): readonly ModelLayer[] | undefined {
  return Object.hasOwn(MODELS, name) ? MODELS[name] : undefined
}

export function unknownModel(given: string, cause: unknown): OptionError {
  return new OptionError('There is no such model', {
    given,
    allowed: `the folder of a checkpoint, or ${MODEL_NAMES.join(', ')}`,
    cause,
  })
}
