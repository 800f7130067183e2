import {
  DeviceError,
  type GemmConfig,
  type GroupLayout,
  OUT_DTYPES,
  type OutDType,
  requireBoolean,
  requireDType,
  requireInteger,
  requireKnownOptions,
  requireOneOf,
  requireOutput,
  ShapeError,
  type Tensor,
} from '@deepgemm/core'
import { type Device, resolveStream, type Stream } from '@deepgemm/runtime'
import { prepareGrouped } from '../backend.js'
import type {
  GroupedOperand,
  GroupedRange,
  GroupedWeights,
  GroupedWeightsCall,
  PreparedGrouped,
} from './call.js'
import { requireGroups } from './indices.js'
import { expectedSize, type GroupedProblem, groupedProblem, outputShape } from './problem.js'

const LAYOUTS: readonly GroupLayout[] = ['contiguous', 'packed', 'masked', 'k-grouped']

const RUN_OPTIONS = ['a', 'b', 'out', 'groups', 'stream', 'groupsReady']
const PLAN_OPTIONS = ['out', 'accumulate', 'expectedM', 'validate']

/** The grouped products a plan covers. */
export type GroupedGemmPlanSpec<L extends GroupLayout = GroupLayout> = {
  readonly layout: L
  readonly groups: number
  readonly n: number
  /** K; in the k-grouped layout the largest ΣK. */
  readonly k: number
  /** The most rows of A: of all groups together, or of one group in the masked layout. */
  readonly m: { readonly max: number }
  /** Dtype of the output. Default `bf16`, `f32` in the k-grouped layout. */
  readonly out?: OutDType
  /** Adds every product to its output. Default false. */
  readonly accumulate?: boolean
  /** Masked layout: rows that a group is expected to have. A hint. Default `m.max`. */
  readonly expectedM?: number
  /**
   * A GPU checks the group data of every run and reports the first bad place at the stream's next
   * `synchronize`. Default false: wrong group data gives wrong results, and touches nothing else. A
   * captured run is not checked. A CPU always checks.
   */
  readonly validate?: boolean
}

/** Operands of one run, as the function of the layout takes them; `groups` is on the device. */
export type GroupedGemmRun<L extends GroupLayout = GroupLayout> = {
  readonly a: GroupedOperand<L>
  /** On a CPU also prepacked weights. */
  readonly b: GroupedWeights<L>
  readonly out: Tensor
  /** groupIndex, groupOffsets or groupSizes. */
  readonly groups: Tensor<'i32'>
  /** Default: the device's default stream. */
  readonly stream?: Stream
  /**
   * No work that may still run writes `groups`: a GPU finds out which tiles there are before the
   * work in front has ended. Default false.
   */
  readonly groupsReady?: boolean
}

/** Everything chosen and loaded ahead of time for a family of grouped products. */
export class GroupedGemmPlan<L extends GroupLayout = GroupLayout> {
  readonly device: Device
  readonly spec: Required<GroupedGemmPlanSpec<L>>
  /** Configs that runs choose among. */
  readonly configs: readonly GemmConfig[]
  readonly #prepared: PreparedGrouped

  /** Use `planGroupedGemm`. */
  constructor(device: Device, spec: Required<GroupedGemmPlanSpec<L>>, prepared: PreparedGrouped) {
    this.device = device
    this.spec = spec
    this.configs = prepared.configs
    this.#prepared = prepared
  }

  /**
   * Enqueues one product and returns at once, without a compilation; `await stream.synchronize()`
   * waits for it and, on a CPU or with `validate`, rejects with a GroupError when `groups` does not
   * describe the operands.
   *
   * @throws {ShapeError | DTypeError | LayoutError | RecipeError | OptionError | DeviceError | DisposedError}
   */
  run(run: GroupedGemmRun<L>): void {
    requireKnownOptions('GroupedGemmPlan.run', run, RUN_OPTIONS)
    const groupsReady = requireBoolean('The option groupsReady', run.groupsReady ?? false)
    const { a, b, out, groups } = run
    const { device, spec } = this
    const problem = groupedProblem(spec.layout, a, b, spec)
    if (a.values.device.id !== device.id) throw foreignOperands(a.values.device.id, device.id)
    requireCovered(problem, spec)
    requireGroups(device, problem, groups)
    requireOutput(out, outputShape(problem), device)
    requireDType('The output of the plan', out.dtype, [spec.out])
    const stream = resolveStream(device, run.stream)
    const { layout, expectedM, validate } = spec
    const operands = { layout, problem, a, b, out, groups }
    const how = { expectedM, validate, groupsReady, awaited: false }
    this.#prepared.enqueue(stream, { ...operands, ...how } as GroupedWeightsCall)
  }
}

/**
 * Chooses and loads all that grouped products of one layout, N and K, and any M up to `m.max`, will
 * ever need.
 *
 * @throws {OptionError | ShapeError | CompileError | CacheError}
 */
export async function planGroupedGemm<L extends GroupLayout>(
  device: Device,
  spec: GroupedGemmPlanSpec<L>,
): Promise<GroupedGemmPlan<L>> {
  const known = [...['layout', 'groups', 'n', 'k', 'm'], ...PLAN_OPTIONS]
  requireKnownOptions('planGroupedGemm', spec, known)
  const layout = requireOneOf('The option layout', spec.layout, LAYOUTS) as L
  for (const name of ['groups', 'n', 'k'] as const) {
    requireInteger(`The option ${name}`, spec[name], 0)
  }
  const max = requireInteger('The option m.max', spec.m?.max, 0)
  const fallback = layout === 'k-grouped' ? 'f32' : 'bf16'
  const complete = {
    ...spec,
    layout,
    out: requireOneOf('The option out', spec.out ?? fallback, OUT_DTYPES),
    accumulate: spec.accumulate ?? false,
    expectedM: requireInteger('The option expectedM', spec.expectedM ?? max, 0),
    validate: spec.validate ?? false,
  }
  return new GroupedGemmPlan(device, complete, await prepareGrouped(device, rangeOf(complete)))
}

/** What a plan is prepared for. */
export function rangeOf(spec: Required<GroupedGemmPlanSpec>): GroupedRange {
  const { layout, groups, m } = spec
  const most = expectedSize({ ...spec, m: m.max }, spec.expectedM)
  // Any number of rows up to the bound, down to a single one; the other layouts have a hint.
  const isAnyM = layout === 'packed' || layout === 'contiguous'
  const least = isAnyM ? Math.min(most, 1 / Math.max(1, groups)) : most
  return { ...spec, expected: { least, most } }
}

function requireCovered(problem: GroupedProblem, spec: Required<GroupedGemmPlanSpec>): void {
  const { groups, m, n, k } = problem
  const fitsK = spec.layout === 'k-grouped' ? k <= spec.k : k === spec.k
  if (groups === spec.groups && m <= spec.m.max && n === spec.n && fitsK) return
  const show = `${spec.groups} groups, M up to ${spec.m.max}, N ${spec.n}`
  throw new ShapeError('The plan does not cover this product', {
    given: `${groups} groups, M ${m}, N ${n}, K ${k}`,
    allowed: `${show}, K ${spec.layout === 'k-grouped' ? 'up to ' : ''}${spec.k}`,
    remedy: 'Make a plan for it with planGroupedGemm.',
  })
}

function foreignOperands(given: string, allowed: string): DeviceError {
  return new DeviceError('The plan belongs to another device than its operands', { given, allowed })
}
