import {
  configsFor,
  requireSm90Extents,
  type Sm90Config,
  sm90ConfigName,
} from '@deepgemm/core/sm90'
import {
  type DeviceKernelSpec,
  deviceKernels,
  type LoadProgress,
  scaleRelayoutKernel,
  transposeKernels,
} from '@deepgemm/jit'
import type { CudaDevice, CudaKernel, CudaStream } from '@deepgemm/runtime/cuda'
import type { GemmCall, GemmRange, PreparedGemm, ProgressListener } from '../backend.js'
import { Chooser, type ConfigsOf } from './chooser.js'
import { clampRange, gemmKernel } from './configs.js'
import { CudaGemm, EmptySums, isEmpty } from './gemm.js'
import { requireCudaCall } from './requirements.js'
import { Stopwatch } from './stopwatch.js'
import { tunedConfig, tuneGemm } from './tuning.js'

/** @throws {ShapeError | CompileError | CacheError | CudaError} */
export async function prepareCudaGemm(
  device: CudaDevice,
  range: GemmRange,
  onProgress?: ProgressListener,
): Promise<PreparedGemm> {
  const { m, n, k, recipeB, out, accumulate } = range
  if (k === 0 || n === 0) return new EmptySums()
  requireSm90Extents({ m: m.max, n, k })
  const { multiprocessors } = device.properties
  const products = clampRange({ family: { recipeB, out, accumulate }, m, n, k })
  const load = (configs: readonly Sm90Config[]): Promise<Kernels> =>
    loadKernels(device, { range, configs, onProgress })
  const plan = (kernels: Kernels, configsOf: ConfigsOf): PreparedGemm => {
    const chooser = new Chooser(configsOf, { n, k }, { multiprocessors })
    return new CudaGemm(range, kernels, chooser, multiprocessors)
  }
  if (range.tune !== true || m.max === 0) {
    const configs = configsFor(products, { multiprocessors })
    return plan(await load(configs), () => configs)
  }
  const cases = await tuneGemm(device, products, async (configs) => {
    return new Stopwatch(device, { ...range, m: products.m }, await load(configs))
  })
  const kernels = await load([...new Set(cases.map(({ config }) => config))])
  return plan(kernels, (rows) => [tunedConfig(cases, rows)])
}

type Kernels = ReadonlyMap<Sm90Config, CudaKernel>

type Wanted = {
  readonly range: GemmRange
  readonly configs: readonly Sm90Config[]
  readonly onProgress: ProgressListener | undefined
}

/** Loads the kernels of configs, and what brings operands into their form. */
async function loadKernels(
  device: CudaDevice,
  { range, configs, onProgress }: Wanted,
): Promise<Kernels> {
  const specs = new Map(configs.map((config) => [gemmKernel(config), config]))
  const transposes = range.form === 'NT' ? [] : transposeKernels
  const wanted = [...specs.keys(), scaleRelayoutKernel, ...transposes]
  const kernels = await deviceKernels(device).load(wanted, {
    onProgress: onProgress && ((progress) => onProgress(described(progress, specs))),
  })
  return new Map(configs.map((config, i) => [config, kernels[i] as CudaKernel]))
}

function described(
  { done, total, spec, source }: LoadProgress,
  configs: ReadonlyMap<DeviceKernelSpec, Sm90Config>,
): Parameters<ProgressListener>[0] {
  const config = configs.get(spec)
  const kernel = config === undefined ? spec.name : `${spec.name} ${sm90ConfigName(config)}`
  return { done, total, kernel, source }
}

/** Plans that the plain functions made for themselves: most of them, the oldest go first. */
const MOST_PLANS = 256

type Plans = Map<string, Promise<PreparedGemm>>
const implicitPlans = new WeakMap<CudaDevice, Plans>()

/** Enqueues a product under a plan that is made at the first product of its kind. */
export async function enqueueCudaGemm(stream: CudaStream, call: GemmCall): Promise<void> {
  if (isEmpty(call)) return
  if (call.problem.k > 0) requireCudaCall(call)
  const prepared = await implicitPlan(stream.device, call)
  if (prepared.replay?.({ ...call, stream })) return
  prepared.enqueue(stream, call)
}

function implicitPlan(device: CudaDevice, { form, problem }: GemmCall): Promise<PreparedGemm> {
  const { n, k, recipeB, out, accumulate } = problem
  // M of a caller varies: one plan for everything up to the next power of two.
  const max = 2 ** Math.ceil(Math.log2(problem.m))
  const m = { min: Math.floor(max / 2) + 1, max }
  const plans: Plans = implicitPlans.get(device) ?? new Map()
  implicitPlans.set(device, plans)
  const key = [form, max, n, k, recipeB, out, accumulate].join(' ')
  const known = plans.get(key)
  if (known !== undefined) return known
  const made = prepareCudaGemm(device, { form, m, n, k, recipeB, out, accumulate })
  if (plans.size >= MOST_PLANS) plans.delete(plans.keys().next().value as string)
  plans.set(key, made)
  // What failed is tried anew: a compiler or room for the cache may be there by then.
  made.catch(() => plans.delete(key))
  return made
}
