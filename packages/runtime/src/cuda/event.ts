import { DeviceError, DisposedError, OptionError } from '@deepgemm/core'
import type { NativeCudaEvent } from '../native/cuda.js'
import { loadAddon } from '../native/load.js'
import type { DeviceEvent } from '../stream.js'
import type { CudaStream } from './stream.js'
import type { Waiters } from './waiters.js'

type Making = { readonly timing: boolean; readonly position: number; readonly waiters: Waiters }

/**
 * A point in a CUDA stream. The driver's event is let go of as soon as the point is known to have
 * passed; one with timing lives until it is disposed or collected.
 */
export class CudaEvent implements DeviceEvent, Disposable {
  readonly stream: CudaStream
  readonly #making: Making
  #native: NativeCudaEvent | undefined
  #done = false

  /** Made by `stream.record()`. @throws {CudaError} */
  constructor(stream: CudaStream, making: Making) {
    this.stream = stream
    this.#making = making
    const { Event } = loadAddon().cuda
    const subject = `An event on stream ${stream.label} could not be recorded`
    this.#native = stream.device.health.call(subject, () => new Event(stream.native, making.timing))
  }

  /**
   * True once the work before the event has finished.
   *
   * @throws {CudaError | DeviceLostError | DisposedError}
   */
  get done(): boolean {
    if (this.#done) return true
    const { health } = this.stream.device
    if (health.call(this.#subject, () => this.#live().isDone())) this.#finish()
    return this.#done
  }

  async synchronize(): Promise<void> {
    if (this.done) return
    const { waiters, position } = this.#making
    const { health } = this.stream.device
    try {
      await health.settle(this.#subject, waiters.settle(this.#live(), position))
      this.#finish()
    } finally {
      if (health.lost !== undefined) this.dispose()
    }
  }

  /**
   * Milliseconds on the GPU from `earlier` to this event, once both have happened.
   *
   * @throws {OptionError} unless both were recorded with `{ timing: true }`
   */
  async elapsedSince(earlier: CudaEvent): Promise<number> {
    if (!this.#making.timing || !earlier.#making.timing) {
      throw new OptionError('An event was recorded without timing', {
        allowed: 'events of stream.record({ timing: true })',
      })
    }
    if (earlier.stream.device !== this.stream.device) throw foreignEvent(this.stream)
    await earlier.synchronize()
    await this.synchronize()
    const { health } = this.stream.device
    return health.call(this.#subject, () => this.#live().elapsedSince(earlier.#live()))
  }

  /** Makes later work of `stream` start only after this event. For `stream.wait()`. */
  holdBack(stream: CudaStream): void {
    if (this.#done) return
    const subject = `Stream ${stream.label} could not wait for an event`
    stream.device.health.call(subject, () => stream.native.wait(this.#live()))
  }

  /** Lets go of the event; waits under way still end. Idempotent. */
  dispose(): void {
    this.#native?.dispose()
    this.#native = undefined
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  #finish(): void {
    this.#done = true
    if (!this.#making.timing) this.dispose()
  }

  #live(): NativeCudaEvent {
    if (this.#native !== undefined) return this.#native
    throw new DisposedError(`An event of stream ${this.stream.label} was disposed`)
  }

  get #subject(): string {
    return `Work on stream ${this.stream.label} failed`
  }
}

/** An event that this stream's device does not know. */
export function foreignEvent(stream: CudaStream): DeviceError {
  return new DeviceError(`Stream ${stream.label} cannot use this event`, {
    given: 'an event of another device',
    allowed: `an event recorded on ${stream.device.id}`,
  })
}
