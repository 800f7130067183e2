import type { ModelConfig } from './config.js'

/** How DeepSeek-V3's gate chooses experts. */
export type RouterConfig = {
  readonly experts: number
  readonly topK: number
  readonly groups: number
  readonly topGroups: number
  readonly scalingFactor: number
}

export function routerConfig(config: ModelConfig): RouterConfig {
  return {
    experts: config.n_routed_experts,
    topK: config.num_experts_per_tok,
    groups: config.n_group,
    topGroups: config.topk_group,
    scalingFactor: config.routed_scaling_factor,
  }
}

/** The experts of one token and their weights. */
export type Choice = { readonly expert: number; readonly weight: number }

/**
 * Group-limited sigmoid gating (DeepSeek-V3): scores are sigmoids; the bias takes part in the
 * choice only; a group counts as much as its two best experts; the weights add up to the factor.
 */
export function chooseExperts(
  logits: Float32Array,
  bias: Float32Array,
  { experts, topK, groups, topGroups, scalingFactor }: RouterConfig,
): Choice[] {
  const scores = Array.from(logits, (x) => 1 / (1 + Math.exp(-x)))
  const biased = scores.map((score, i) => score + (bias[i] as number))
  const size = experts / groups
  const groupScore = (group: number): number =>
    best(biased.slice(group * size, (group + 1) * size), 2).reduce((sum, x) => sum + x.value, 0)
  const kept = best(
    Array.from({ length: groups }, (_, group) => groupScore(group)),
    topGroups,
  ).map(({ index }) => index)
  const open = biased.map((x, i) => (kept.includes(Math.floor(i / size)) ? x : -Infinity))
  const chosen = best(open, topK).map(({ index }) => index)
  const sum = chosen.reduce((total, expert) => total + (scores[expert] as number), 0)
  return chosen.map((expert) => ({
    expert,
    weight: ((scores[expert] as number) / sum) * scalingFactor,
  }))
}

/** The highest values, descending; of equal ones the first. */
function best(values: readonly number[], count: number): { index: number; value: number }[] {
  return values
    .map((value, index) => ({ index, value }))
    .sort((x, y) => y.value - x.value || x.index - y.index)
    .slice(0, count)
}
