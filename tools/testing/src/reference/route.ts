import { gapOf, type Ranking, rank } from './ranking.js'
import { gamma } from './reference.js'

/** A routing problem; the rules are those of the library's `route`. */
export type RouteInput = {
  /** [tokens, experts] */
  readonly logits: ArrayLike<number>
  readonly tokens: number
  readonly experts: number
  readonly topK: number
  readonly gating: 'softmax' | 'group-limited-sigmoid'
  /** Divide the weights by the sum of the selected ones; default true. */
  readonly normalize?: boolean
  readonly scalingFactor?: number
  /** [experts]; sigmoid only. */
  readonly bias?: ArrayLike<number>
  /** Runs of experts (default 1), and how many of them stay (default all); sigmoid only. */
  readonly groups?: number
  readonly topGroups?: number
}

/** Selected experts and their weights, [tokens, topK], best first. */
export type Routing = {
  readonly indices: Int32Array
  readonly weights: Float64Array
  /** How far each weight computed in f32 may be off. */
  readonly weightBounds: Float64Array
  /**
   * For each token the smallest gap between two scores whose order matters. Below about 1e-5 an
   * f32 computation may rightly select otherwise.
   */
  readonly margins: Float64Array
}

/** Added to the sum that sigmoid weights are normalised by. */
const SUM_FLOOR = 1e-20

/** Routes in float64. */
export function referenceRoute(input: RouteInput): Routing {
  const { tokens, experts, topK } = input
  const indices = new Int32Array(tokens * topK)
  const weights = new Float64Array(tokens * topK)
  const weightBounds = new Float64Array(tokens * topK)
  const margins = new Float64Array(tokens)
  for (let token = 0; token < tokens; token++) {
    const logits = Array.from(
      { length: experts },
      (_, e) => input.logits[token * experts + e] as number,
    )
    const { order, gap } =
      input.gating === 'softmax' ? selectByLogit(logits, topK) : select(logits, input)
    indices.set(order, token * topK)
    margins[token] = gap
    const weighed = weigh(logits, order, input)
    weights.set(weighed.weights, token * topK)
    weightBounds.set(weighed.bounds, token * topK)
  }
  return { indices, weights, weightBounds, margins }
}

/**
 * Weights of the selected experts. An f32 exponential is within 2 units in the last place of that
 * of its rounded argument; sums of E and of topK terms follow. 2^-120 covers exponentials that
 * leave f32's range.
 */
function weigh(
  logits: readonly number[],
  order: readonly number[],
  { gating, normalize = true, scalingFactor = 1 }: RouteInput,
): { weights: number[]; bounds: number[] } {
  const isSoftmax = gating === 'softmax'
  const scores = isSoftmax ? softmax(logits) : logits.map(sigmoid)
  const selected = order.map((expert) => scores[expert] as number)
  const sum = selected.reduce((total, score) => total + score, 0)
  const divisor = normalize ? sum + (isSoftmax ? 0 : SUM_FLOOR) : 1
  const weights = selected.map((score) => (score / divisor) * scalingFactor)
  const spread = isSoftmax ? Math.min(Math.max(...logits) - Math.min(...logits), 128) : 0
  const relative = gamma(2 * (spread + 6) + (isSoftmax ? logits.length : 0) + order.length + 3)
  const absolute = (Math.abs(scalingFactor) * 2 ** -120) / Math.max(divisor, SUM_FLOOR)
  return { weights, bounds: weights.map((weight) => relative * Math.abs(weight) + absolute) }
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

function softmax(logits: readonly number[]): number[] {
  const max = Math.max(...logits)
  const powers = logits.map((x) => Math.exp(x - max))
  const sum = powers.reduce((total, power) => total + power, 0)
  return powers.map((power) => power / sum)
}

/** Selection by logit compares inputs, which rounding cannot reorder. */
function selectByLogit(logits: readonly number[], topK: number): Ranking {
  return { order: rank(logits, topK).order, gap: Number.POSITIVE_INFINITY }
}

/** Selection by sigmoid(logit) + bias among the experts of the best groups. */
function select(logits: readonly number[], input: RouteInput): Ranking {
  const { experts, topK, groups = 1, bias } = input
  const biased = logits.map((x, expert) => sigmoid(x) + (bias?.[expert] ?? 0))
  const groupOf = (expert: number): number => Math.floor(expert / (experts / groups))
  const { stays, gap: groupGap } = selectGroups(biased, input)
  const candidates = biased.map((_, expert) => expert).filter((expert) => stays(groupOf(expert)))
  const dropped = biased.map((_, expert) => expert).filter((expert) => !stays(groupOf(expert)))
  const { order, gap } = rank(
    candidates.map((expert) => biased[expert] as number),
    topK,
    (position) => {
      const expert = candidates[position] as number
      return `${logits[expert]} ${bias?.[expert]}`
    },
  )
  const best = order.map((position) => candidates[position] as number)
  return { order: [...best, ...dropped].slice(0, topK), gap: Math.min(gap, groupGap) }
}

/** A group scores the sum of its two best; only which groups stay matters, not their order. */
function selectGroups(
  biased: readonly number[],
  { experts, groups = 1, topGroups = groups }: RouteInput,
): { stays: (group: number) => boolean; gap: number } {
  const size = experts / groups
  const scores = Array.from({ length: groups }, (_, group) => {
    const own = biased.slice(group * size, (group + 1) * size)
    return rank(own, Math.min(2, size)).order.reduce((sum, e) => sum + (own[e] as number), 0)
  })
  const { order } = rank(scores, groups)
  const [last, next] = [order[topGroups - 1] as number, order[topGroups]]
  const gap =
    next === undefined
      ? Number.POSITIVE_INFINITY
      : gapOf(scores[last] as number, scores[next] as number)
  const kept = new Set(order.slice(0, topGroups))
  return { stays: (group) => kept.has(group), gap }
}
