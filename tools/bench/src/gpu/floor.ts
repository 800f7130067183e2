// The time to read weights once, as fast as bulk copies bring them.

import type { CudaGraph } from '@deepgemm/runtime/cuda'
import { rotation } from './cases.js'
import type { BenchKernels } from './kernels.js'
import { SEEDS } from './operands.js'
import { replayTimes } from './times.js'

export class ReadFloor implements Disposable {
  readonly #kernels: BenchKernels
  readonly #graph: CudaGraph
  readonly #launches: number

  /** For weights of so many bytes. */
  constructor(kernels: BenchKernels, bytes: number) {
    const { device } = kernels
    const { copies, launches } = rotation(bytes)
    using weights = device.zeros({
      dtype: 'u8',
      shape: [copies, bytes],
      label: 'benchmark weights',
    })
    kernels.fillValues(weights, SEEDS.b)
    this.#kernels = kernels
    this.#launches = launches
    this.#graph = device.capture((stream) => {
      for (let i = 0; i < launches; i++) {
        const copy = i % copies
        kernels.read(weights.slice(0, copy, copy + 1), stream)
      }
    })
  }

  times(replays: number): Promise<number[]> {
    return replayTimes(this.#kernels, this.#graph, { launches: this.#launches, replays })
  }

  [Symbol.dispose](): void {
    this.#graph.dispose()
  }
}
