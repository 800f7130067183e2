// Times of graphs by events on the GPU.

import type { CudaGraph } from '@deepgemm/runtime/cuda'
import type { BenchKernels } from './kernels.js'

const WARM_UP_REPLAYS = 2

/** Microseconds per launch of every replay of a graph with so many launches. */
export async function replayTimes(
  kernels: BenchKernels,
  graph: CudaGraph,
  { launches, replays }: { readonly launches: number; readonly replays: number },
): Promise<number[]> {
  const { stream } = kernels
  for (let i = 0; i < WARM_UP_REPLAYS; i++) graph.launch(stream)
  await stream.synchronize()
  const times: number[] = []
  for (let i = 0; i < replays; i++) {
    kernels.pause()
    using begin = stream.record({ timing: true })
    graph.launch(stream)
    using end = stream.record({ timing: true })
    times.push(((await end.elapsedSince(begin)) * 1000) / launches)
  }
  return times
}
