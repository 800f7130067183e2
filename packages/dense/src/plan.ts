import {
  DeviceError,
  denseProblem,
  describeValue,
  type GemmConfig,
  type GemmForm,
  type GemmProblem,
  type GemmWeights,
  OptionError,
  OUT_DTYPES,
  type OutDType,
  QuantizedTensor,
  RecipeError,
  requireBoolean,
  requireInteger,
  requireKnownOptions,
  requireOneOf,
  requireOutput,
  ShapeError,
  Tensor,
} from '@deepgemm/core'
import { type Device, resolveStream, type Stream } from '@deepgemm/runtime'
import {
  type GemmPlacement,
  type PreparedGemm,
  type ProgressListener,
  prepareGemm,
  type WeightsCall,
} from './backend.js'
import { outputShape } from './output.js'

const FORMS: readonly GemmForm[] = ['NT', 'NN', 'TN', 'TT']
const RECIPES_B = ['128x128', '1x128'] as const
const PLAN_OPTIONS = ['form', 'n', 'k', 'm', 'out', 'accumulate', 'recipeB', 'tune', 'onProgress']

/** The products a plan covers: one N and K, any M up to a bound. */
export type GemmPlanSpec = {
  /** Default `NT`. */
  readonly form?: GemmForm
  readonly n: number
  readonly k: number
  readonly m: { readonly max: number }
  /** Dtype of the output. Default `bf16`. */
  readonly out?: OutDType
  /** Adds every product to its output. Default false. */
  readonly accumulate?: boolean
  /** Recipe of B seen K-major, for a GPU's choice of kernels; a CPU runs both. Default `128x128`. */
  readonly recipeB?: GemmProblem['recipeB']
  /**
   * Has a GPU time the cost model's best few kernels for each M, once: the answer is kept in the
   * kernel cache. It should have nothing else to do meanwhile, and memory for the weights twice and
   * more. Bits of results then depend on the answer. Default false: the cost model chooses.
   */
  readonly tune?: boolean
  /** Told of every kernel that a GPU loads for the plan, as it becomes ready. */
  readonly onProgress?: ProgressListener
}

/** What a plan covers, nothing left out. */
export type PlannedGemm = Required<Omit<GemmPlanSpec, 'onProgress'>>

/** Operands of one run, as `fp8GemmNT` and its siblings take them. */
export type GemmRun = {
  readonly a: QuantizedTensor
  /** On a CPU also prepacked weights, for NT. */
  readonly b: GemmWeights
  readonly out: Tensor
  /** Default: the device's default stream. */
  readonly stream?: Stream
  /**
   * A promise that no work which may still run writes B or its scales, as of weights that were
   * loaded and awaited before. A GPU then fetches them while the work before this product still
   * runs. When the promise is false, so may be the product. Default false.
   */
  readonly weightsReady?: boolean
}

const RUN_OPTIONS = ['a', 'b', 'out', 'stream', 'weightsReady']

/** Everything chosen and loaded ahead of time for a family of products; running it never compiles. */
export class GemmPlan {
  readonly device: Device
  readonly spec: PlannedGemm
  /** Configs that runs choose among. */
  readonly configs: readonly GemmConfig[]
  readonly #prepared: PreparedGemm

  /** Use `planGemm`. */
  constructor(device: Device, spec: PlannedGemm, prepared: PreparedGemm) {
    this.device = device
    this.spec = spec
    this.configs = prepared.configs
    this.#prepared = prepared
  }

  /**
   * Enqueues one product and returns at once; `await stream.synchronize()` waits for it.
   *
   * @throws {ShapeError | DTypeError | LayoutError | RecipeError | OptionError | DeviceError | DisposedError}
   */
  run(run: GemmRun): void {
    requireKnownOptions('GemmPlan.run', run, RUN_OPTIONS)
    const stream = resolveStream(this.device, run.stream)
    const weightsReady = requireBoolean('The option weightsReady', run.weightsReady ?? false)
    const { a, b, out } = run
    if (this.#replays({ a, b, out, stream, weightsReady })) return
    const { spec } = this
    const { form } = spec
    const problem = denseProblem(form, a, b, { out: spec.out, accumulate: spec.accumulate })
    this.#requireCovered(problem, a)
    requireOutput(out, outputShape(problem, a.shape.length === 3), this.device)
    requirePlannedDType(out, spec.out)
    this.#prepared.enqueue(stream, { form, problem, a, b, out, weightsReady })
  }

  /**
   * Allocates the memory that runs on `stream` need beside their operands, on a GPU: partial sums and
   * transposed operands. The first run on a stream does so otherwise.
   *
   * @throws {DeviceError | DisposedError}
   */
  reserve(stream?: Stream): void {
    this.#prepared.reserve?.(resolveStream(this.device, stream))
  }

  /** What an equal run was found to be need not be found out again. */
  #replays({ a, b, ...rest }: Omit<GemmPlacement, 'b'> & Pick<WeightsCall, 'b'>): boolean {
    const isPlausible = a instanceof QuantizedTensor && rest.out instanceof Tensor
    if (!isPlausible || !(b instanceof QuantizedTensor)) return false
    return this.#prepared.replay?.({ a, b, ...rest }) === true
  }

  #requireCovered(problem: GemmProblem, a: QuantizedTensor): void {
    const { spec, device } = this
    if (a.device.id !== device.id) {
      throw new DeviceError('The plan belongs to another device than its operands', {
        given: a.device.id,
        allowed: device.id,
      })
    }
    requirePlannedRecipe(device, problem, spec)
    if (problem.n === spec.n && problem.k === spec.k && problem.m <= spec.m.max) return
    throw new ShapeError('The plan does not cover this product', {
      given: `M ${problem.m}, N ${problem.n}, K ${problem.k}`,
      allowed: `M up to ${spec.m.max}, N ${spec.n}, K ${spec.k}`,
      remedy: 'Make a plan for it with planGemm.',
    })
  }
}

/**
 * Chooses and loads all that products of one N and K, and any M up to `m.max`, will ever need.
 *
 * @throws {OptionError}
 * @throws {DeviceError | ShapeError | CompileError | CacheError} for what a GPU cannot do or compile
 */
export async function planGemm(device: Device, spec: GemmPlanSpec): Promise<GemmPlan> {
  requireKnownOptions('planGemm', spec, PLAN_OPTIONS)
  const { onProgress, ...given } = spec
  requireInteger('The option n', given.n, 0)
  requireInteger('The option k', given.k, 0)
  requireInteger('The option m.max', given.m?.max, 0)
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw new OptionError('The option onProgress is not a function', {
      given: describeValue(onProgress),
      allowed: 'a function that is told of every kernel',
    })
  }
  const complete = {
    ...given,
    form: requireOneOf('The option form', given.form ?? 'NT', FORMS),
    out: requireOneOf('The option out', given.out ?? 'bf16', OUT_DTYPES),
    accumulate: requireBoolean('The option accumulate', given.accumulate ?? false),
    recipeB: requireOneOf('The option recipeB', given.recipeB ?? '128x128', RECIPES_B),
    tune: requireBoolean('The option tune', given.tune ?? false),
  }
  const range = { ...complete, m: { min: 1, max: complete.m.max } }
  return new GemmPlan(device, complete, await prepareGemm(device, range, onProgress))
}

function requirePlannedRecipe(device: Device, problem: GemmProblem, spec: PlannedGemm): void {
  if (device.kind === 'cpu' || problem.recipeB === spec.recipeB) return
  throw new RecipeError('The plan is for other scales of B', {
    given: problem.recipeB,
    allowed: spec.recipeB,
    remedy: 'Make a plan with the option recipeB.',
  })
}

function requirePlannedDType(out: Tensor, planned: OutDType): void {
  requireOneOf('The dtype of the output', out.dtype, [planned])
}
