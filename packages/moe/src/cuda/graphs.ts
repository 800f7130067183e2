import type { CudaDevice, CudaGraph, CudaStream } from '@deepgemm/runtime/cuda'

/** Work that repeats with the same buffers: captured the first time, then launched as a graph. */
export class RepeatedWork {
  readonly #device: CudaDevice
  /** All captures are made on one stream, so that graphs share the workspace of their products. */
  #stream: CudaStream | undefined
  readonly #graphs = new Map<string, CudaGraph>()

  constructor(device: CudaDevice) {
    this.#device = device
  }

  /** `enqueue` must do the same whenever the key is the same. In a capture it becomes part of that. */
  run(stream: CudaStream, key: string, enqueue: (stream: CudaStream) => void): void {
    if (stream.capturing) {
      enqueue(stream)
      return
    }
    const graph = this.#graphs.get(key) ?? this.#capture(enqueue)
    this.#graphs.set(key, graph)
    graph.launch(stream)
  }

  /** Frees the graphs once their launches are done. */
  dispose(): void {
    for (const graph of this.#graphs.values()) graph.dispose()
    this.#graphs.clear()
    this.#stream?.dispose()
  }

  #capture(enqueue: (stream: CudaStream) => void): CudaGraph {
    this.#stream ??= this.#device.createStream('repeated work')
    return this.#device.capture(enqueue, this.#stream)
  }
}
