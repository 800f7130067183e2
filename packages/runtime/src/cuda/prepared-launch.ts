import type { NativeCudaLaunch } from '../native/cuda.js'
import type { KernelNote } from './errors.js'
import type { CudaKernel } from './kernel.js'
import type { CudaStream } from './stream.js'

/**
 * A kernel with its geometry and packed arguments, enqueued any number of times. It keeps no buffer
 * alive.
 */
export class PreparedLaunch {
  readonly kernel: CudaKernel
  readonly #native: NativeCudaLaunch
  /** Of the stream that ran it last: a launch mostly stays on one stream. */
  #stream: CudaStream | undefined
  #notes: readonly KernelNote[] = []

  /** Made by `kernel.prepare()`. */
  constructor(kernel: CudaKernel, native: NativeCudaLaunch) {
    this.kernel = kernel
    this.#native = native
  }

  /**
   * Enqueues it and returns true; false, and nothing is enqueued, once a buffer or the module was
   * disposed.
   *
   * @throws {DeviceError | DisposedError | CudaLaunchError | DeviceLostError}
   */
  run(stream: CudaStream): boolean {
    if (stream !== this.#stream) this.#moveTo(stream)
    stream.requireLive()
    const { health } = stream.device
    health.requireWorking()
    let ran: boolean
    try {
      ran = this.#native.run(stream.native)
    } catch (error) {
      throw health.typed('Could not launch', error, this.#notes[0])
    }
    if (ran) stream.launched(this.#notes)
    return ran
  }

  #moveTo(stream: CudaStream): void {
    const { module, name, config } = this.kernel
    module.device.requireOwn(`Stream ${stream.label}`, stream.device)
    this.#notes = [{ kernel: name, config, stream: stream.label }]
    this.#stream = stream
  }
}
