import { CheckpointError } from '@deepgemm/core'
import type { Gating } from '../gating.js'

/** What `config.json` of a checkpoint says. */
export type ModelConfig = Readonly<Record<string, unknown>>

/** Names of DeepSeek's config.json, which other models share. */
const KEYS = {
  topK: 'num_experts_per_tok',
  groups: 'n_group',
  topGroups: 'topk_group',
  normalize: 'norm_topk_prob',
  scalingFactor: 'routed_scaling_factor',
} as const

/**
 * The gating of a checkpoint; what `given` says comes first.
 *
 * @throws {CheckpointError} when the config names a gating that is not known, or no topK
 */
export function gatingFromConfig(config: ModelConfig = {}, given: Partial<Gating> = {}): Gating {
  const gating = given.gating ?? gatingKind(config)
  const sigmoid = gating === 'group-limited-sigmoid'
  const read = sigmoid
    ? { ...numbers(config, ['groups', 'topGroups']), ...numbers(config, COMMON) }
    : numbers(config, COMMON)
  const normalize = config[KEYS.normalize]
  const { bias, ...rest } = given
  const merged = {
    gating,
    ...read,
    ...(typeof normalize === 'boolean' ? { normalize } : {}),
    ...(sigmoid && bias !== undefined ? { bias } : {}),
    ...rest,
  }
  if (merged.topK !== undefined) return { ...merged, topK: merged.topK }
  throw new CheckpointError('The number of experts per token is not known', {
    given: `a config without ${KEYS.topK}`,
    remedy: 'Pass topK.',
  })
}

type NumberOption = 'topK' | 'groups' | 'topGroups' | 'scalingFactor'
const COMMON: readonly NumberOption[] = ['topK', 'scalingFactor']

function numbers(
  config: ModelConfig,
  names: readonly NumberOption[],
): Partial<Record<NumberOption, number>> {
  const found = names.map((name) => [name, config[KEYS[name]]] as const)
  return Object.fromEntries(found.filter(([, value]) => typeof value === 'number'))
}

function gatingKind(config: ModelConfig): Gating['gating'] & string {
  const scoring = config['scoring_func'] ?? 'softmax'
  const method = config['topk_method'] ?? 'greedy'
  if (scoring === 'sigmoid') return 'group-limited-sigmoid'
  if (scoring === 'softmax' && method === 'greedy') return 'softmax'
  throw new CheckpointError('The gating of the checkpoint is not known', {
    given: `scoring_func ${String(scoring)}, topk_method ${String(method)}`,
    allowed: 'sigmoid scores, or softmax scores with greedy selection',
  })
}
