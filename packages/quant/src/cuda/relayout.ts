import { RecipeError, type Scales, type Tensor } from '@deepgemm/core'
import { enqueueScaleRelayout } from '@deepgemm/jit'
import type { CudaStream } from '@deepgemm/runtime/cuda'

/** What a copy of scales finds out while it runs, to be asked once it is done. */
export type RelayoutVerdict = {
  /** @throws {RecipeError} when a scale had no form in the result */
  requireExact(): Promise<void>
  dispose(): void
}

/** Enqueues a copy of scales; undefined where every scale has a form in the result. */
export function enqueueCudaRelayout(
  stream: CudaStream,
  source: Scales,
  out: Scales,
  shape: readonly number[],
): RelayoutVerdict | undefined {
  if (source.dtype === out.dtype || out.dtype === 'f32') {
    enqueueScaleRelayout(stream, source, out, { shape })
    return undefined
  }
  const inexact = stream.device.zeros({ dtype: 'u32', shape: [1], label: 'inexact scales' })
  try {
    enqueueScaleRelayout(stream, source, out, { shape, inexact })
  } catch (error) {
    inexact.dispose()
    throw error
  }
  return { requireExact: () => requireExact(inexact), dispose: () => inexact.dispose() }
}

async function requireExact(inexact: Tensor): Promise<void> {
  const [flag] = await inexact.toBytes()
  if (flag === 0) return
  throw new RecipeError('Scales cannot become ue8m0', {
    given: 'a scale that is no power of two',
    allowed: 'powers of two from 2^-127 to 2^127',
  })
}
