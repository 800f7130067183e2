import {
  type GroupedExtents,
  requireSm90Groups,
  type Sm90Choice,
  type Sm90Config,
} from '@deepgemm/core/sm90'
import { deviceKernels, scaleRelayoutKernel } from '@deepgemm/jit'
import type { CudaDevice, CudaKernel, CudaStream } from '@deepgemm/runtime/cuda'
import type { GroupedCall, GroupedRange, PreparedGrouped } from '../grouped/call.js'
import { expectedSize } from '../grouped/problem.js'
import { checkGroupsLater, groupCheckKernel } from './group-check.js'
import type { PartialSums } from './grouped-arguments.js'
import { GroupedChooser, groupedConfigs, groupedKernel } from './grouped-configs.js'
import { GroupedLaunches } from './grouped-launches.js'
import { isEmptyGrouped, requireCudaGrouped } from './grouped-requirements.js'
import { groupedScales } from './grouped-scales.js'

/** The kernels for a range of grouped products, loaded. */
class CudaGrouped implements PreparedGrouped {
  readonly configs: readonly Sm90Config[]
  readonly #kernels: ReadonlyMap<Sm90Config, CudaKernel>
  readonly #chooser: GroupedChooser
  readonly #launches = new GroupedLaunches()

  constructor(kernels: ReadonlyMap<Sm90Config, CudaKernel>, multiprocessors: number) {
    this.configs = [...kernels.keys()]
    this.#kernels = kernels
    this.#chooser = new GroupedChooser(this.configs, { multiprocessors })
  }

  enqueue(stream: CudaStream, call: GroupedCall): void {
    if (isEmptyGrouped(call)) return
    requireCudaGrouped(call)
    // A graph is launched on streams that would not know of the check.
    if (call.validate && !stream.capturing) checkGroupsLater(stream, call)
    const { groups, m, n, k } = call.problem
    const expected = expectedSize(call.problem, call.expectedM)
    const extents: GroupedExtents = { groups, m, n, k, expected }
    const choice = this.#chooser.choose(extents)
    const kernel = this.#kernels.get(choice.config) as CudaKernel
    const scales = groupedScales(stream, call)
    const workspace = partialSums(stream, choice)
    this.#launches.run(stream, kernel, { call, choice, scales, extents, workspace })
  }
}

function partialSums(stream: CudaStream, { schedule }: Sm90Choice): PartialSums {
  if (schedule.partialBytes === 0) return undefined
  return {
    partials: stream.workspace('GEMM partial sums', schedule.partialBytes),
    // Every launch leaves the flags zero, as the next one needs them.
    flags: stream.workspace('GEMM flags', schedule.flagBytes),
  }
}

/** @throws {ShapeError | CompileError | CacheError | CudaError} */
export async function prepareCudaGrouped(
  device: CudaDevice,
  range: GroupedRange,
): Promise<PreparedGrouped> {
  const { layout, groups, m, n, k } = range
  requireSm90Groups({ layout }, { groups, m: m.max, n, k, expected: 1 })
  const { multiprocessors } = device.properties
  const configs = groupedConfigs(range, { multiprocessors })
  const checks = range.validate ? [groupCheckKernel(layout)] : []
  const wanted = [...configs.map(groupedKernel), scaleRelayoutKernel, ...checks]
  const kernels = await deviceKernels(device).load(wanted)
  const byConfig = new Map(configs.map((config, i) => [config, kernels[i] as CudaKernel]))
  return new CudaGrouped(byConfig, multiprocessors)
}

/** Plans that the plain functions made for themselves: most of them, the oldest go first. */
const MOST_PLANS = 256

type Plans = Map<string, Promise<PreparedGrouped>>
const implicitPlans = new WeakMap<CudaDevice, Plans>()

/** What enqueues a product, under a plan that is made at the first product of its kind. */
export async function cudaGroupedLauncher(
  stream: CudaStream,
  call: GroupedCall,
): Promise<() => void> {
  if (isEmptyGrouped(call)) return () => undefined
  requireCudaGrouped(call)
  const prepared = await implicitPlan(stream.device, call)
  return () => prepared.enqueue(stream, call)
}

function implicitPlan(device: CudaDevice, call: GroupedCall): Promise<PreparedGrouped> {
  const { layout, groups, m, n, k, out, accumulate } = call.problem
  const expected = expectedSize(call.problem, call.expectedM)
  // Sizes of a caller vary: one plan for everything up to the next power of two.
  const most = 2 ** Math.ceil(Math.log2(expected))
  const plans: Plans = implicitPlans.get(device) ?? new Map()
  implicitPlans.set(device, plans)
  const depth = layout === 'k-grouped' ? 'any' : k
  const key = [layout, groups, n, depth, out, accumulate, most].join(' ')
  const known = plans.get(key)
  if (known !== undefined) return known
  const made = prepareCudaGrouped(device, {
    ...{ layout, groups, n, k, out, accumulate, validate: true },
    ...{ m: { max: m }, expected: { least: most, most } },
  })
  if (plans.size >= MOST_PLANS) plans.delete(plans.keys().next().value as string)
  plans.set(key, made)
  // What failed is tried anew: a compiler or room for the cache may be there by then.
  made.catch(() => plans.delete(key))
  return made
}
