// Work of ours that is checked once and then captured into a graph.

import type { CudaGraph, CudaStream, KernelNote } from '@deepgemm/runtime/cuda'
import { errorOf, type ProductView } from './check.js'
import type { BenchKernels } from './kernels.js'
import { replayTimes } from './times.js'

export type Work<Set extends Disposable> = {
  /** Operands and outputs that launches take in turn. */
  readonly sets: readonly Set[]
  readonly launches: number
  run(set: Set, stream: CudaStream): void
  /** Errors of the products of a set that was run once. */
  views(set: Set): readonly ProductView[]
  /** Names the kernel that was chosen. */
  nameOf(kernels: readonly KernelNote[]): string
}

/** The graph keeps its operands; it is all that has to be disposed. */
export class Captured implements Disposable {
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

  /** Checks one product, captures the others and lets go of the sets. */
  static async prepare<Set extends Disposable>(
    kernels: BenchKernels,
    { sets, launches, run, views, nameOf }: Work<Set>,
  ): Promise<Captured> {
    const { device, stream } = kernels
    try {
      const first = sets[0] as Set
      run(first, stream)
      const error = await errorOf(kernels, views(first))
      await device.synchronize()
      const graph = device.capture((capturing) => {
        for (let i = 0; i < launches; i++) run(sets[i % sets.length] as Set, capturing)
      })
      return new Captured(kernels, graph, { error, config: nameOf(graph.kernels), launches })
    } finally {
      for (const set of sets) set[Symbol.dispose]()
    }
  }

  times(replays: number): Promise<number[]> {
    return replayTimes(this.#kernels, this.#graph, { launches: this.#launches, replays })
  }

  [Symbol.dispose](): void {
    this.#graph.dispose()
  }
}
