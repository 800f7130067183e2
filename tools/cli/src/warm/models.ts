import type { MoeLayerShape } from '@deepgemm/moe/sm90'
import { OptionError } from 'deepgemm'
import type { SourceDType } from '../checkpoint/source-dtype.js'

/** A linear layer of a model: D [tokens, n] = A [tokens, k] · B [n, k]ᵀ. */
export type ModelLayer = {
  readonly name: string
  readonly n: number
  readonly k: number
  /** Matrices in a stack; 1 for a plain matrix. */
  readonly experts: number
}

/** A kind of mixture-of-experts layer, which `MoeLayer` runs. */
export type ModelMoe = Omit<MoeLayerShape, 'maxTokens' | 'maxDecodeTokens'> & {
  readonly name: string
}

/** Everything of a model that multiplies. */
export type ModelProducts = {
  readonly layers: readonly ModelLayer[]
  readonly moe: readonly ModelMoe[]
  /** Dtypes of weights that are quantised as they are loaded. */
  readonly floats: readonly SourceDType[]
}

const dense = (name: string, n: number, k: number): ModelLayer => ({ name, n, k, experts: 1 })

/** Shapes as published, with the projections that servers fuse fused. */
const MODELS: Readonly<Record<string, ModelProducts>> = {
  'deepseek-v3': {
    floats: [],
    layers: [
      dense('q and kv down', 2112, 7168),
      dense('q up', 24576, 1536),
      dense('kv up', 32768, 512),
      dense('attention output', 7168, 16384),
      dense('dense gate and up', 36864, 7168),
      dense('dense down', 7168, 18432),
    ],
    moe: [
      {
        ...{ name: 'mixture of experts', experts: 256, hidden: 7168, intermediate: 2048 },
        ...{ shared: 2048, topK: 8, gating: 'group-limited-sigmoid' },
      },
    ],
  },
  /** Qwen3-30B-A3B. */
  'qwen3-moe': {
    floats: [],
    layers: [dense('q, k and v', 5120, 2048), dense('attention output', 2048, 4096)],
    moe: [
      {
        ...{ name: 'mixture of experts', experts: 128, hidden: 2048, intermediate: 768 },
        ...{ topK: 8, gating: 'softmax' },
      },
    ],
  },
}

export const MODEL_NAMES: readonly string[] = Object.keys(MODELS)

/** The products of a model with a name; undefined for what may be a folder. */
export function namedModel(name: string): ModelProducts | undefined {
  return Object.hasOwn(MODELS, name) ? MODELS[name] : undefined
}

export function unknownModel(given: string, cause: unknown): OptionError {
  return new OptionError('There is no such model', {
    given,
    allowed: `the folder of a checkpoint, or ${MODEL_NAMES.join(', ')}`,
    cause,
  })
}
