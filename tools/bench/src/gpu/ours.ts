// Our own product as a user runs it: a plan, its runs captured into a graph.

import { type Sm90Config, sm90ConfigName, sm90KernelMembers } from '@deepgemm/core/sm90'
import type { CudaGraph, KernelNote } from '@deepgemm/runtime/cuda'
import { type GemmPlan, planGemm } from 'deepgemm'
import type { GpuCase, Rotation } from './cases.js'
import { errorOf } from './check.js'
import type { BenchKernels } from './kernels.js'
import { disposeSet, productSet, startOf, viewOf } from './operands.js'
import { replayTimes } from './times.js'

/** A plan for every case with the same weights. @throws {CompileError | CudaError} */
export function planFor(kernels: BenchKernels, cases: readonly GpuCase[]): Promise<GemmPlan> {
  const { problem, n, k } = cases[0] as GpuCase
  const max = Math.max(...cases.map(({ m }) => m))
  const isGradient = problem === 'wgrad'
  return planGemm(kernels.device, {
    ...{ n, k, m: { max } },
    out: isGradient ? 'f32' : 'bf16',
    accumulate: isGradient,
    recipeB: isGradient ? '1x128' : '128x128',
  })
}

/** The graph keeps its operands; it is all that has to be disposed. */
export class OurProduct implements Disposable {
  readonly error: number
  readonly config: string
  readonly #kernels: BenchKernels
  readonly #graph: CudaGraph
  readonly #launches: number

  private constructor(
    kernels: BenchKernels,
    graph: CudaGraph,
    facts: { readonly error: number; readonly config: string; readonly launches: number },
  ) {
    this.#kernels = kernels
    this.#graph = graph
    this.error = facts.error
    this.config = facts.config
    this.#launches = facts.launches
  }

  /** Makes operands, checks one product and captures the others. */
  static async prepare(
    kernels: BenchKernels,
    plan: GemmPlan,
    item: GpuCase,
    { copies, launches }: Rotation,
  ): Promise<OurProduct> {
    const { device, stream } = kernels
    const sets = Array.from({ length: copies }, () => productSet(kernels, item))
    await device.synchronize()
    const [first] = sets as [ReturnType<typeof productSet>]
    plan.run({ ...first, stream })
    using start = startOf(kernels, item)
    const error = await errorOf(kernels, [viewOf(item, first, start)])
    const graph = device.capture((capturing) => {
      for (let i = 0; i < launches; i++) {
        plan.run({ ...(sets[i % copies] as typeof first), stream: capturing })
      }
    })
    for (const set of sets) disposeSet(set)
    await device.synchronize()
    const config = configOf(plan, graph.kernels)
    return new OurProduct(kernels, graph, { error, config, launches })
  }

  times(replays: number): Promise<number[]> {
    return replayTimes(this.#kernels, this.#graph, { launches: this.#launches, replays })
  }

  [Symbol.dispose](): void {
    this.#graph.dispose()
  }
}

/** The name of the plan's config that a captured kernel was compiled with. */
function configOf(plan: GemmPlan, kernels: readonly KernelNote[]): string {
  const note = kernels.find(({ kernel }) => kernel === 'fp8_gemm')
  if (note === undefined) return 'unknown'
  const sharedBytes = Number(note.config['kSharedBytes'])
  const wanted = JSON.stringify(note.config)
  const config = (plan.configs as readonly Sm90Config[]).find(
    (candidate) => JSON.stringify(sm90KernelMembers(candidate, sharedBytes)) === wanted,
  )
  return config === undefined ? 'unknown' : sm90ConfigName(config)
}
