import type { CudaDeviceInfo } from './cuda/probe.js'

let warned = false

/**
 * Says once that the CPU stands in for a GPU that could compute if something were mended: a hundred
 * times slower is not to be found out by surprise. Silent where there is nothing to mend: without a
 * GPU, or with one of another architecture.
 */
export function warnOfFallback(gpus: readonly CudaDeviceInfo[]): void {
  const problem = gpus.map((gpu) => gpu.problem).find((it) => it && it.code !== 'ERR_NO_HOPPER')
  if (warned || problem === undefined) return
  warned = true
  process.emitWarning(
    `The GPU cannot be used, so the CPU computes: ${problem.given}. ${problem.remedy} ` +
      'DEEPGEMM_DEVICE=cpu asks for the CPU without this warning.',
    { code: 'DEEPGEMM_NO_GPU', type: 'DeepGemmWarning' },
  )
}
