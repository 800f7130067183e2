import { OptionError, requireInteger, requireOneOf, type Tensor } from '@deepgemm/core'
import type { Device } from '@deepgemm/runtime'
import { requireTensor } from './checks.js'

/** Most experts and most selected experts that routing takes. */
export const MAX_EXPERTS = 2048
const MAX_TOP_K = 64

/** How logits become scores. */
export type GatingKind = 'softmax' | 'group-limited-sigmoid'

const GATINGS: readonly GatingKind[] = ['softmax', 'group-limited-sigmoid']

/** The rule that selects experts and weighs them. */
export type Gating = {
  /** Experts per token. */
  readonly topK: number
  /**
   * `softmax` (default): scores are a softmax over all experts. `group-limited-sigmoid`, as in
   * DeepSeek-V3: scores are sigmoids, and experts are selected by score + `bias` among the
   * `topGroups` best of `groups` equal runs of experts, a run being as good as its two best.
   */
  readonly gating?: GatingKind
  /** [E], sigmoid only: added for the selection, not in the weights. */
  readonly bias?: Tensor<'f32'> | Float32Array<ArrayBuffer>
  /** Sigmoid only: runs of experts. Default 1. */
  readonly groups?: number
  /** Sigmoid only: runs that stay. Default: all. */
  readonly topGroups?: number
  /** Divides the weights by the sum of the selected scores. Default true. */
  readonly normalize?: boolean
  /** Multiplies the weights. Default 1. */
  readonly scalingFactor?: number
}

export const GATING_OPTIONS: readonly string[] = [
  'topK',
  'gating',
  'bias',
  'groups',
  'topGroups',
  'normalize',
  'scalingFactor',
]

/** A gating with every choice made. */
export type ResolvedGating = Required<Omit<Gating, 'bias'>>

/** @throws {OptionError} when the options do not suit each other or the number of experts. */
export function resolveGating(options: Gating, experts: number): ResolvedGating {
  requireInteger('The number of experts', experts, 1, MAX_EXPERTS)
  const gating = requireOneOf('The option gating', options.gating ?? 'softmax', GATINGS)
  if (gating === 'softmax') requireNoSigmoidOptions(options)
  const groups = requireInteger('The option groups', options.groups ?? 1, 1, experts)
  if (experts % groups !== 0) {
    throw new OptionError('The option groups does not divide the experts', {
      given: `${groups} groups of ${experts} experts`,
      allowed: 'a divisor of the number of experts',
    })
  }
  const wanted = options.topGroups ?? groups
  const topGroups = requireInteger('The option topGroups', wanted, 1, groups)
  const selectable = Math.min(topGroups * (experts / groups), MAX_TOP_K)
  const topK = requireInteger('The option topK', options.topK, 1, selectable)
  const scalingFactor = options.scalingFactor ?? 1
  if (!Number.isFinite(scalingFactor)) {
    throw new OptionError('The option scalingFactor is not a number', {
      given: String(scalingFactor),
      allowed: 'a finite number',
    })
  }
  const normalize = options.normalize ?? true
  return { topK, gating, groups, topGroups, normalize, scalingFactor }
}

function requireNoSigmoidOptions(options: Gating): void {
  const extra = (['bias', 'groups', 'topGroups'] as const).find((x) => options[x] !== undefined)
  if (extra === undefined) return
  throw new OptionError(`The option ${extra} has no meaning for softmax gating`, {
    given: extra,
    allowed: "bias, groups and topGroups with gating 'group-limited-sigmoid'",
  })
}

/** The selection bias on the device, and whether it was uploaded here. */
export function biasOnDevice(
  device: Device,
  bias: Gating['bias'],
  experts: number,
): { readonly tensor: Tensor<'f32'> | undefined; readonly temporary: boolean } {
  if (bias === undefined) return { tensor: undefined, temporary: false }
  const shape = [experts]
  if (bias instanceof Float32Array) {
    const tensor = device.tensor(bias, { dtype: 'f32', shape, label: 'routing bias' })
    return { tensor, temporary: true }
  }
  const rule = { dtypes: ['f32'], shape, contiguous: true } as const
  return { tensor: requireTensor('The option bias', bias, device, rule), temporary: false }
}
