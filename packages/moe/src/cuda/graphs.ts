import type { Tensor } from '@deepgemm/core'
import type { CudaBuffer, CudaDevice, CudaGraph, CudaStream } from '@deepgemm/runtime/cuda'

/** Work that repeats with the same buffers: captured the second time, launched as a graph from then on. */
export class RepeatedWork {
  readonly #device: CudaDevice
  readonly #most: number
  /** All captures are made on one stream, so that graphs share the workspace of their products. */
  #stream: CudaStream | undefined
  /** By key, in the order of their last use; undefined while the work was done only once. */
  readonly #graphs = new Map<string, CudaGraph | undefined>()

  /** Remembers at most so many keys and graphs; those that were used longest ago go first. */
  constructor(device: CudaDevice, most: number) {
    this.#device = device
    this.#most = most
  }

  /**
   * `enqueue` must do the same whenever the key is the same. In a capture it becomes part of that.
   * A graph keeps the memory that it uses until it is forgotten.
   */
  run(stream: CudaStream, key: string, enqueue: (stream: CudaStream) => void): void {
    if (stream.capturing) {
      enqueue(stream)
      return
    }
    const isKnown = this.#graphs.has(key)
    const graph = this.#graphs.get(key) ?? (isKnown ? this.#capture(enqueue) : undefined)
    this.#remember(key, graph)
    if (graph === undefined) enqueue(stream)
    else graph.launch(stream)
  }

  /** Frees the graphs once their launches are done. */
  dispose(): void {
    for (const graph of this.#graphs.values()) graph?.dispose()
    this.#graphs.clear()
    this.#stream?.dispose()
  }

  #capture(enqueue: (stream: CudaStream) => void): CudaGraph {
    this.#stream ??= this.#device.createStream('repeated work')
    return this.#device.capture(enqueue, this.#stream)
  }

  #remember(key: string, graph: CudaGraph | undefined): void {
    this.#graphs.delete(key)
    this.#graphs.set(key, graph)
    if (this.#graphs.size <= this.#most) return
    const [oldest, forgotten] = this.#graphs.entries().next().value as [string, typeof graph]
    this.#graphs.delete(oldest)
    forgotten?.dispose()
  }
}

/** Where tensors lie and how: equal for tensors that kernels cannot tell apart. */
export function placementKey(tensors: readonly (Tensor | undefined)[]): string {
  return tensors
    .map((tensor) => {
      if (tensor === undefined) return '-'
      const { serial } = tensor.storage as CudaBuffer
      return `${serial}+${tensor.byteOffset} ${tensor.dtype} ${tensor.shape} ${tensor.strides}`
    })
    .join(' | ')
}
