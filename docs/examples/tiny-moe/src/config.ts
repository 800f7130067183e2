import { CheckpointError } from 'deepgemm'

/** The architecture of a model, under the names of DeepSeek-V3's config.json. */
export type ModelConfig = {
  readonly vocab_size: number
  readonly hidden_size: number
  readonly num_hidden_layers: number
  readonly num_attention_heads: number
  readonly head_dim: number
  /** Leading layers with a dense feed-forward block. */
  readonly first_k_dense_replace: number
  readonly n_routed_experts: number
  readonly num_experts_per_tok: number
  readonly n_group: number
  readonly topk_group: number
  readonly routed_scaling_factor: number
  readonly rope_theta: number
  readonly rms_norm_eps: number
  /** Longest sequence the model was trained on. */
  readonly max_position_embeddings: number
}

const KEYS = [
  'vocab_size',
  'hidden_size',
  'num_hidden_layers',
  'num_attention_heads',
  'head_dim',
  'first_k_dense_replace',
  'n_routed_experts',
  'num_experts_per_tok',
  'n_group',
  'topk_group',
  'routed_scaling_factor',
  'rope_theta',
  'rms_norm_eps',
  'max_position_embeddings',
] as const

/** Reads the architecture from a parsed config.json. @throws {CheckpointError} */
export function parseConfig(config: Readonly<Record<string, unknown>> | undefined): ModelConfig {
  if (config === undefined) throw unsupported('a checkpoint without config.json')
  if (config['architectures'] !== undefined && !isTinyMoe(config['architectures'])) {
    throw unsupported(`architectures ${JSON.stringify(config['architectures'])}`)
  }
  for (const key of KEYS) {
    const value = config[key]
    if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
      throw unsupported(`${key} = ${JSON.stringify(value)} in config.json`)
    }
  }
  return config as unknown as ModelConfig
}

function isTinyMoe(architectures: unknown): boolean {
  return Array.isArray(architectures) && architectures.includes('TinyMoeForCausalLM')
}

function unsupported(given: string): CheckpointError {
  return new CheckpointError('This checkpoint is not a model that can be run here', {
    given,
    allowed: 'the architecture TinyMoeForCausalLM with positive numbers for all its sizes',
    remedy: 'docs/examples/tiny-moe/model is such a checkpoint.',
  })
}
