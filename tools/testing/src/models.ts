/** A linear layer of a model: D [tokens, n] = A [tokens, k] · B [n, k]ᵀ. */
export type LayerShape = {
  readonly name: string
  readonly n: number
  readonly k: number
  /** Experts that share the shape; 1 for a dense layer. */
  readonly experts: number
}

/** Published sizes that shapes follow from. */
type ModelSizes = {
  readonly hidden: number
  readonly expertWidth: number
  readonly experts: number
  readonly topK: number
}

const moeLayers = ({ hidden, expertWidth, experts }: ModelSizes): LayerShape[] => [
  { name: 'expert gate and up', n: 2 * expertWidth, k: hidden, experts },
  { name: 'expert down', n: hidden, k: expertWidth, experts },
]

const DEEPSEEK_V3: ModelSizes = { hidden: 7168, expertWidth: 2048, experts: 256, topK: 8 }
/** Qwen3-30B-A3B. */
const QWEN3_MOE: ModelSizes = { hidden: 2048, expertWidth: 768, experts: 128, topK: 8 }

/** A model's layers, and how its tokens spread over experts. */
export type ModelShapes = { readonly topK: number; readonly layers: readonly LayerShape[] }

/** Layers of models that the library must serve, by name. */
export const MODEL_SHAPES: Readonly<Record<'deepseek-v3' | 'qwen3-moe', ModelShapes>> = {
  'deepseek-v3': {
    topK: DEEPSEEK_V3.topK,
    layers: [
      { name: 'q and kv down', n: 2112, k: 7168, experts: 1 },
      { name: 'q up', n: 24576, k: 1536, experts: 1 },
      { name: 'kv up', n: 32768, k: 512, experts: 1 },
      { name: 'attention output', n: 7168, k: 16384, experts: 1 },
      { name: 'dense gate and up', n: 36864, k: 7168, experts: 1 },
      { name: 'dense down', n: 7168, k: 18432, experts: 1 },
      { name: 'shared gate and up', n: 4096, k: 7168, experts: 1 },
      { name: 'shared down', n: 7168, k: 2048, experts: 1 },
      ...moeLayers(DEEPSEEK_V3),
    ],
  },
  'qwen3-moe': {
    topK: QWEN3_MOE.topK,
    layers: [
      { name: 'q, k and v', n: 5120, k: 2048, experts: 1 },
      { name: 'attention output', n: 2048, k: 4096, experts: 1 },
      ...moeLayers(QWEN3_MOE),
    ],
  },
}
