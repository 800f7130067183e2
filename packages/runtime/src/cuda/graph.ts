import { DisposedError } from '@deepgemm/core'
import type { NativeCudaGraph } from '../native/cuda.js'
import type { CudaDevice } from './device.js'
import type { KernelNote } from './errors.js'
import type { CudaStream } from './stream.js'

type Making = {
  readonly device: CudaDevice
  readonly native: NativeCudaGraph
  readonly kernels: readonly KernelNote[]
}

/**
 * Captured work, launched again and again at the cost of one launch. It keeps the buffers and
 * modules that the work uses, also those that are disposed after the capture.
 */
export class CudaGraph implements Disposable {
  readonly device: CudaDevice
  /** Kernels in the order in which they were captured. */
  readonly kernels: readonly KernelNote[]
  readonly #native: NativeCudaGraph
  #disposed = false

  /** Made by `device.capture()`. */
  constructor({ device, native, kernels }: Making) {
    this.device = device
    this.kernels = kernels
    this.#native = native
  }

  get disposed(): boolean {
    return this.#disposed
  }

  /** Enqueues all of the work. @throws {CudaError | DisposedError | DeviceError} */
  launch(stream?: CudaStream): void {
    if (this.#disposed) throw new DisposedError('The graph was disposed')
    const target = stream ?? this.device.defaultStream
    target.requireLive()
    this.device.requireOwn(`Stream ${target.label}`, target.device)
    this.device.health.call(`A graph of ${this.kernels.length} kernels could not be launched`, () =>
      this.#native.launch(target.native),
    )
    target.launched(this.kernels)
  }

  /** Frees the graph once no launch of it runs. Idempotent. */
  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    this.#native.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}
