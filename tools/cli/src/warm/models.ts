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
  /** Where the shapes of a named model are from. */
  readonly source?: string
  readonly layers: readonly ModelLayer[]
  readonly moe: readonly ModelMoe[]
  /** Dtypes of weights that are quantised as they are loaded. */
  readonly floats: readonly SourceDType[]
}

const dense = (name: string, n: number, k: number): ModelLayer => ({ name, n, k, experts: 1 })

/** Shapes as published, with the projections that servers fuse fused. */
const MODELS: Readonly<Record<string, ModelProducts>> = {
  'deepseek-v3': {
    source: 'config.json of deepseek-ai/DeepSeek-V3; DeepSeek-R1 has the same',
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
  'qwen3-moe': {
    source: 'config.json of Qwen/Qwen3-30B-A3B',
    floats: [],
    layers: [dense('q, k and v', 5120, 2048), dense('attention output', 2048, 4096)],
    moe: [
      {
        ...{ name: 'mixture of experts', experts: 128, hidden: 2048, intermediate: 768 },
        ...{ topK: 8, gating: 'softmax' },
      },
    ],
  },
  'qwen3-235b': {
    source: 'config.json of Qwen/Qwen3-235B-A22B',
    floats: [],
    layers: [dense('q, k and v', 9216, 4096), dense('attention output', 4096, 8192)],
    moe: [
      {
        ...{ name: 'mixture of experts', experts: 128, hidden: 4096, intermediate: 1536 },
        ...{ topK: 8, gating: 'softmax' },
      },
    ],
  },
  'qwen3-32b': {
    source: 'config.json of Qwen/Qwen3-32B',
    floats: [],
    layers: [
      dense('q, k and v', 10240, 5120),
      dense('attention output', 5120, 8192),
      dense('gate and up', 51200, 5120),
      dense('down', 5120, 25600),
    ],
    moe: [],
  },
  'llama-3.1-8b': {
    source: 'config.json of meta-llama/Llama-3.1-8B',
    floats: [],
    layers: [
      dense('q, k and v', 6144, 4096),
      dense('attention output', 4096, 4096),
      dense('gate and up', 28672, 4096),
      dense('down', 4096, 14336),
    ],
    moe: [],
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
