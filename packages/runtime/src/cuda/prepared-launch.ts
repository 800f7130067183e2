import { OptionError, type Tensor } from '@deepgemm/core'
import type { NativeCudaLaunch, NativeCudaMemory } from '../native/cuda.js'
import type { CudaBuffer } from './buffer.js'
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
  readonly #addresses: number
  /** What `rebind` hands over; kept, for it to be quick. */
  readonly #memories: NativeCudaMemory[] = []
  readonly #offsets: Float64Array
  /** Of the stream that ran it last: a launch mostly stays on one stream. */
  #stream: CudaStream | undefined
  #notes: readonly KernelNote[] = []

  /** Made by `kernel.prepare()`. */
  constructor(kernel: CudaKernel, native: NativeCudaLaunch) {
    this.kernel = kernel
    this.#native = native
    this.#addresses = native.addresses()
    this.#offsets = new Float64Array(this.#addresses)
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

  /**
   * Points its pointers and tensor maps, null pointers left out, at other tensors in their order.
   * Each must have the dtype, extents, strides and alignment of the one in its place: that is not
   * checked.
   *
   * @throws {OptionError | DeviceError | DisposedError | CudaError}
   */
  rebind(tensors: readonly Tensor[]): void {
    const { device } = this.kernel.module
    if (tensors.length !== this.#addresses) {
      throw new OptionError(`A launch of ${this.kernel.name} needs another number of tensors`, {
        given: String(tensors.length),
        allowed: String(this.#addresses),
      })
    }
    tensors.forEach(({ storage, byteOffset }, i) => {
      device.requireOwn(`Tensor ${storage.label}`, storage.device)
      const buffer = storage as CudaBuffer
      buffer.requireLive()
      this.#memories[i] = buffer.native
      this.#offsets[i] = byteOffset
    })
    const subject = `A launch of ${this.kernel.name} could not be moved`
    device.health.call(subject, () => this.#native.rebind(this.#memories, this.#offsets))
  }

  #moveTo(stream: CudaStream): void {
    const { module, name, config } = this.kernel
    module.device.requireOwn(`Stream ${stream.label}`, stream.device)
    this.#notes = [{ kernel: name, config, stream: stream.label }]
    this.#stream = stream
  }
}
