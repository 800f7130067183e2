// Times of graphs by events on the GPU.

import type { CudaGraph } from '@deepgemm/runtime/cuda'
import type { BenchKernels } from './kernels.js'

const WARM_UP_REPLAYS = 2

export type Timing = {
  readonly replays: number
  /** Holds the stream while the host enqueues the work. */
  readonly pauseNanoseconds?: number
}

/** Microseconds that the GPU needs for work, every time anew. */
export async function workTimes(
  kernels: BenchKernels,
  enqueue: () => void,
  timing: Timing,
): Promise<number[]> {
  const { stream } = kernels
  for (let i = 0; i < WARM_UP_REPLAYS; i++) enqueue()
  await stream.synchronize()
  const times: number[] = []
  for (let i = 0; i < timing.replays; i++) {
    kernels.pause(timing.pauseNanoseconds)
    using begin = stream.record({ timing: true })
    enqueue()
    using end = stream.record({ timing: true })
    times.push((await end.elapsedSince(begin)) * 1000)
  }
  return times
}

/** Microseconds per launch of every replay of a graph with so many launches. */
export async function replayTimes(
  kernels: BenchKernels,
  graph: CudaGraph,
  { launches, replays }: { readonly launches: number; readonly replays: number },
): Promise<number[]> {
  const times = await workTimes(kernels, () => graph.launch(kernels.stream), { replays })
  return times.map((time) => time / launches)
}
