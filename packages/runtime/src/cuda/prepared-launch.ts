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
  readonly #moves: Float64Array
  /** Serial of the buffer and offset of each address; NaN as long as `rebind` was not called. */
  readonly #bound: Float64Array
  /** Of the stream that ran it last: a launch mostly stays on one stream. */
  #stream: CudaStream | undefined
  #notes: readonly KernelNote[] = []

  /** Made by `kernel.prepare()`. */
  constructor(kernel: CudaKernel, native: NativeCudaLaunch) {
    this.kernel = kernel
    this.#native = native
    this.#addresses = native.addresses()
    this.#moves = new Float64Array(2 * this.#addresses)
    this.#bound = new Float64Array(2 * this.#addresses).fill(Number.NaN)
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
    this.#memories.length = 0
    try {
      for (let i = 0; i < tensors.length; i++) this.#move(i, tensors[i] as Tensor)
      if (this.#memories.length > 0) this.#native.rebind(this.#memories, this.#moves)
    } catch (error) {
      this.#bound.fill(Number.NaN)
      throw device.health.typed(`A launch of ${this.kernel.name} could not be moved`, error)
    }
  }

  /** Notes the address as one to be moved, unless it is there already. */
  #move(place: number, { storage, byteOffset }: Tensor): void {
    this.kernel.module.device.requireOwn('A tensor of the launch', storage.device)
    const buffer = storage as CudaBuffer
    buffer.requireLive()
    const bound = this.#bound
    if (bound[2 * place] === buffer.serial && bound[2 * place + 1] === byteOffset) return
    bound[2 * place] = buffer.serial
    bound[2 * place + 1] = byteOffset
    const at = 2 * this.#memories.push(buffer.native)
    this.#moves[at - 2] = place
    this.#moves[at - 1] = byteOffset
  }

  #moveTo(stream: CudaStream): void {
    const { module, name, config } = this.kernel
    module.device.requireOwn(`Stream ${stream.label}`, stream.device)
    this.#notes = [{ kernel: name, config, stream: stream.label }]
    this.#stream = stream
  }
}
