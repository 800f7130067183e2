// Our own product as a user runs it: a plan, its runs captured into a graph.

import { type Sm90Config, sm90ConfigName, sm90KernelMembers } from '@deepgemm/core/sm90'
import type { KernelNote } from '@deepgemm/runtime/cuda'
import { type GemmConfig, type GemmPlan, planGemm } from 'deepgemm'
import { Captured } from './captured.js'
import type { GpuCase, Rotation } from './cases.js'
import type { BenchKernels } from './kernels.js'
import { productSet, viewOf } from './operands.js'

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

/** @throws {DeepGemmError} */
export function captureProduct(
  kernels: BenchKernels,
  plan: GemmPlan,
  item: GpuCase,
  { copies, launches }: Rotation,
): Promise<Captured> {
  return Captured.prepare(kernels, {
    sets: Array.from({ length: copies }, () => productSet(kernels, item)),
    launches,
    // Nothing writes the weights, as in a model that serves.
    run: ({ a, b, out }, stream) => plan.run({ a, b, out, stream, weightsReady: true }),
    views: (set) => [viewOf(item, set)],
    nameOf: (notes) => configOf(plan.configs, notes),
  })
}

/** The name of the config that a captured product was compiled with. */
export function configOf(configs: readonly GemmConfig[], kernels: readonly KernelNote[]): string {
  const note = kernels.find(({ kernel }) => kernel === 'fp8_gemm')
  if (note === undefined) return 'unknown'
  const sharedBytes = Number(note.config['kSharedBytes'])
  const wanted = JSON.stringify(note.config)
  const config = (configs as readonly Sm90Config[]).find(
    (candidate) => JSON.stringify(sm90KernelMembers(candidate, sharedBytes)) === wanted,
  )
  return config === undefined ? 'unknown' : sm90ConfigName(config)
}
