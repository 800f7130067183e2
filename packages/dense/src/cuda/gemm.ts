import type { Sm90Choice, Sm90Config } from '@deepgemm/core/sm90'
import { requireSm90Extents } from '@deepgemm/core/sm90'
import { deviceKernels } from '@deepgemm/jit'
import type { CudaDevice, CudaKernel, CudaStream } from '@deepgemm/runtime/cuda'
import type { GemmCall, GemmRange, PreparedGemm } from '../backend.js'
import { type GemmWorkspace, gemmArguments, gemmGeometry } from './arguments.js'
import { Chooser, gemmConfigs, gemmKernel } from './configs.js'
import { requireCudaCall, requireCudaForm } from './requirements.js'

/** The kernels for a range of products, loaded. */
class CudaGemm implements PreparedGemm {
  readonly configs: readonly Sm90Config[]
  readonly #kernels: ReadonlyMap<Sm90Config, CudaKernel>
  readonly #chooser: Chooser

  constructor(kernels: ReadonlyMap<Sm90Config, CudaKernel>, chooser: Chooser) {
    this.configs = [...kernels.keys()]
    this.#kernels = kernels
    this.#chooser = chooser
  }

  enqueue(stream: CudaStream, call: GemmCall): void {
    if (isEmpty(call)) return
    requireCudaCall(call)
    const choice = this.#chooser.choose(call.problem.m)
    const kernel = this.#kernels.get(choice.config) as CudaKernel
    const args = gemmArguments(choice, call, workspaceOf(stream, choice))
    kernel.launch(args, gemmGeometry(choice), stream)
  }
}

function workspaceOf(stream: CudaStream, { schedule }: Sm90Choice): GemmWorkspace {
  if (schedule.streamedTiles === 0) return undefined
  return {
    partials: stream.workspace('GEMM partial sums', schedule.partialBytes),
    // Every launch leaves the flags zero, as the next one needs them.
    flags: stream.workspace('GEMM flags', schedule.flagBytes),
  }
}

function isEmpty({ form, problem }: GemmCall): boolean {
  requireCudaForm(form)
  return problem.m === 0 || problem.n === 0
}

/** @throws {DeviceError | ShapeError | CompileError | CacheError | CudaError} */
export async function prepareCudaGemm(device: CudaDevice, range: GemmRange): Promise<PreparedGemm> {
  const { form, m, n, k, recipeB, out, accumulate } = range
  requireCudaForm(form)
  requireSm90Extents({ m: m.max, n, k })
  const { multiprocessors } = device.properties
  const family = { recipeB, out, accumulate }
  const configs = gemmConfigs({ family, m, n, k }, { multiprocessors })
  const kernels = await deviceKernels(device).load(configs.map(gemmKernel))
  const byConfig = new Map(configs.map((config, i) => [config, kernels[i] as CudaKernel]))
  return new CudaGemm(byConfig, new Chooser(configs, { n, k }, { multiprocessors }))
}

/** Plans that the plain functions made for themselves: most of them, the oldest go first. */
const MOST_PLANS = 256

type Plans = Map<string, Promise<PreparedGemm>>
const implicitPlans = new WeakMap<CudaDevice, Plans>()

/** Enqueues a product under a plan that is made at the first product of its kind. */
export async function enqueueCudaGemm(stream: CudaStream, call: GemmCall): Promise<void> {
  if (isEmpty(call)) return
  requireCudaCall(call)
  const prepared = await implicitPlan(stream.device, call)
  prepared.enqueue(stream, call)
}

function implicitPlan(device: CudaDevice, { form, problem }: GemmCall): Promise<PreparedGemm> {
  const { n, k, recipeB, out, accumulate } = problem
  // M of a caller varies: one plan for everything up to the next power of two.
  const max = 2 ** Math.ceil(Math.log2(problem.m))
  const m = { min: Math.floor(max / 2) + 1, max }
  const plans: Plans = implicitPlans.get(device) ?? new Map()
  implicitPlans.set(device, plans)
  const key = [max, n, k, recipeB, out, accumulate].join(' ')
  const known = plans.get(key)
  if (known !== undefined) return known
  const made = prepareCudaGemm(device, { form, m, n, k, recipeB, out, accumulate })
  if (plans.size >= MOST_PLANS) plans.delete(plans.keys().next().value as string)
  plans.set(key, made)
  // What failed is tried anew: a compiler or room for the cache may be there by then.
  made.catch(() => plans.delete(key))
  return made
}
