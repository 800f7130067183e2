import { DisposedError, dtypeBytes, LayoutError, type Tensor } from '@deepgemm/core'
import type { NativeCudaStream } from '../native/cuda.js'
import { loadAddon } from '../native/load.js'
import type { DeviceEvent, Stream } from '../stream.js'
import type { CudaBuffer } from './buffer.js'
import { type Check, Checks } from './checks.js'
import type { CudaDevice } from './device.js'
import type { KernelNote } from './errors.js'
import { CudaEvent, foreignEvent } from './event.js'
import { LaunchLog } from './launch-log.js'
import { Waiters } from './waiters.js'

let made = 0

/** An in-order queue of the GPU. */
export class CudaStream implements Stream {
  readonly device: CudaDevice
  readonly label: string
  /** Of this process; never used again. */
  readonly serial: number = made++
  readonly native: NativeCudaStream
  readonly #log = new LaunchLog()
  readonly #waiters = new Waiters()
  readonly #workspaces = new Map<string, Tensor<'u8'>>()
  /** Kernels captured so far; undefined unless the stream captures. */
  #captured: KernelNote[] | undefined
  readonly #checks = new Checks()
  #events = 0
  #disposed = false

  /** Made by `device.createStream()`. @throws {CudaError} */
  constructor(device: CudaDevice, label: string) {
    this.device = device
    this.label = label
    const { Stream: NativeStream } = loadAddon().cuda
    const subject = `Stream ${label} could not be made`
    this.native = device.health.call(subject, () => new NativeStream(device.native))
    device.health.watch(this.#log)
  }

  get disposed(): boolean {
    return this.#disposed
  }

  /** While a graph is captured, work is noted instead of run. */
  get capturing(): boolean {
    return this.#captured !== undefined
  }

  /** @throws {DisposedError | CudaError | DeviceLostError} */
  async synchronize(): Promise<void> {
    this.#requireWaitable('synchronize')
    const subject = `Waiting for stream ${this.label} failed`
    const position = this.#log.position
    // Taken now: checks of later work are for those who wait for that.
    const checks = this.#checks.take()
    try {
      if (!this.device.health.call(subject, () => this.native.isIdle())) {
        using mark = this.#mark(false)
        await mark.synchronize()
      }
    } catch (error) {
      // On a lost device they can only let go of what they own.
      if (this.device.lost === undefined) checks.giveBack()
      else await checks.run().catch(() => undefined)
      throw error
    }
    this.#log.finished(position)
    await checks.run()
  }

  /**
   * Has `check` run at the next `synchronize()`, once the work is done; what it throws rejects that.
   * One check per `key`: a later one takes the place of an earlier one.
   */
  checkLater(key: unknown, check: Check): void {
    this.#checks.add(key, check)
  }

  /**
   * Marks the work enqueued so far. With `timing`, the time between two events can be asked for.
   * Events that nobody waits for should be disposed: garbage collection comes late to them.
   */
  record(options: { readonly timing?: boolean } = {}): CudaEvent {
    this.#requireWaitable('record an event')
    return this.#mark(options.timing === true)
  }

  wait(event: DeviceEvent): void {
    this.#requireWaitable('wait for an event')
    if (!(event instanceof CudaEvent) || event.stream.device !== this.device) {
      throw foreignEvent(this)
    }
    event.holdBack(this)
  }

  /**
   * Memory for the kernels of this stream, at least `bytes`. It is zero when it is made, and the same
   * memory at every call until more is wanted. Freed with the stream.
   *
   * @throws {CudaMemoryError | DisposedError}
   */
  workspace(label: string, bytes: number): Tensor<'u8'> {
    this.requireLive()
    const known = this.#workspaces.get(label)
    if (known !== undefined && known.byteLength >= bytes) return known
    const made = this.device.zeros({ dtype: 'u8', shape: [bytes], label })
    known?.dispose()
    this.#workspaces.set(label, made)
    return made
  }

  /**
   * Enqueues zeros for a matrix whose rows lie back to back inside; what is between them stays.
   *
   * @throws {DeviceError | DisposedError | CudaError}
   */
  zero(matrix: Tensor): void {
    this.requireLive()
    matrix.requireLive()
    this.device.requireOwn(`Tensor ${matrix.storage.label}`, matrix.device)
    const [rows, columns] = matrix.shape as readonly [number, number]
    if (rows === 0 || columns === 0) return
    const width = dtypeBytes(matrix.dtype)
    const pitch = Math.max(matrix.strides[0] as number, columns) * width
    const { native, label } = matrix.storage as CudaBuffer
    this.device.health.call(`Buffer ${label} could not be zeroed`, () => {
      const { zeroRows } = loadAddon().cuda
      zeroRows(this.native, native, matrix.byteOffset, pitch, columns * width, rows)
    })
  }

  /** Enqueued work still finishes; nothing more can be enqueued. Idempotent. */
  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    for (const tensor of this.#workspaces.values()) tensor.dispose()
    this.#waiters.close()
    this.device.health.unwatch(this.#log)
    this.native.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  /** Notes launches, so that an error can name them. */
  launched(kernels: readonly KernelNote[]): void {
    if (this.#captured === undefined) this.#log.add(kernels)
    else this.#captured.push(...kernels)
  }

  /** From now on work is captured. For `device.capture()`. */
  beginCapture(): void {
    const subject = `The capture of ${this.label} could not begin`
    this.device.health.call(subject, () => this.native.beginCapture())
    this.#captured = []
  }

  /** The kernels that were captured; the stream captures no more. */
  endCapture(): readonly KernelNote[] {
    const kernels = this.#captured ?? []
    this.#captured = undefined
    return kernels
  }

  /** @throws {DisposedError} */
  requireLive(): void {
    if (!this.#disposed) return
    throw new DisposedError(`Stream ${this.label} was disposed`, {
      remedy: 'Use a live stream, such as device.defaultStream.',
    })
  }

  #requireWaitable(verb: string): void {
    this.requireLive()
    if (this.#captured === undefined) return
    throw new LayoutError(`Stream ${this.label} cannot ${verb} while it captures`, {
      allowed: 'launches and copies on this stream',
      remedy: 'Wait for the stream that the graph is launched on.',
    })
  }

  #mark(timing: boolean): CudaEvent {
    return new CudaEvent(this, { timing, position: this.#events++, waiters: this.#waiters })
  }
}
