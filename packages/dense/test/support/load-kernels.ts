import { sm90Candidates } from '@deepgemm/core/sm90'
import { gemmKernel } from '@deepgemm/dense/sm90'
import { deviceKernels } from '@deepgemm/jit'
import type { Device } from '@deepgemm/runtime'
import { CudaDevice } from '@deepgemm/runtime/cuda'

/** All kernels that products may choose, compiled in parallel: one by one would take minutes. */
export async function loadDenseKernels(gpu: Device): Promise<void> {
  if (!(gpu instanceof CudaDevice)) throw new Error('not a GPU')
  const flags = [false, true]
  const families = (['128x128', '1x128'] as const).flatMap((recipeB) =>
    (['bf16', 'f32'] as const).flatMap((out) =>
      flags.map((accumulate) => ({ recipeB, out, accumulate })),
    ),
  )
  const specs = families.flatMap((family) => sm90Candidates(family).map(gemmKernel))
  const sources: Record<string, number> = {}
  const start = performance.now()
  await deviceKernels(gpu).load(specs, {
    onProgress: ({ source }) => {
      sources[source] = (sources[source] ?? 0) + 1
    },
  })
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.info(`${specs.length} kernels in ${seconds} s:`, sources)
}
