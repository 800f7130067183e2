import {
  DeviceError,
  type DeviceRef,
  DisposedError,
  GroupError,
  NativeError,
  RecipeError,
} from '@deepgemm/core'
import type { NativeEvent, NativeStream } from '../native/addon.js'
import { loadAddon } from '../native/load.js'
import type { DeviceEvent, Stream } from '../stream.js'

/** An in-order queue with a thread of its own; kernels it runs share the device's pool. */
export class CpuStream implements Stream {
  readonly device: DeviceRef
  readonly label: string
  readonly native: NativeStream
  #disposed = false

  constructor(device: DeviceRef, label: string, nicer: number) {
    this.device = device
    this.label = label
    this.native = new (loadAddon().Stream)(nicer)
  }

  get disposed(): boolean {
    return this.#disposed
  }

  async synchronize(): Promise<void> {
    this.requireLive()
    const work = this.native.synchronize()
    if (work !== undefined) await settled(work)
  }

  /** As `synchronize`, up to the ticket `last`; also after `dispose`: enqueued work still finishes. */
  async drain(last: number): Promise<void> {
    const work = this.native.synchronize(last)
    if (work !== undefined) await settled(work)
  }

  record(): DeviceEvent {
    this.requireLive()
    return new CpuEvent(this, this.native.record())
  }

  wait(event: DeviceEvent): void {
    this.requireLive()
    if (!(event instanceof CpuEvent)) throw foreignEvent(this)
    this.native.wait(event.native)
  }

  /** Enqueued work still finishes; nothing more can be enqueued. Idempotent. */
  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    this.native.close()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  /** @throws {DisposedError} */
  requireLive(): void {
    if (!this.#disposed) return
    throw new DisposedError(`Stream ${this.label} was disposed`, {
      remedy: 'Use a live stream, such as device.defaultStream.',
    })
  }
}

class CpuEvent implements DeviceEvent {
  readonly #stream: CpuStream
  readonly native: NativeEvent

  constructor(stream: CpuStream, native: NativeEvent) {
    this.#stream = stream
    this.native = native
  }

  get done(): boolean {
    return this.native.done
  }

  async synchronize(): Promise<void> {
    const work = this.#stream.native.synchronize(this.native)
    if (work !== undefined) await settled(work)
  }
}

function foreignEvent(stream: CpuStream): DeviceError {
  return new DeviceError(`Stream ${stream.label} cannot wait for this event`, {
    given: 'something else than an event of a CPU device',
    allowed: 'what record() of a CPU stream returned',
  })
}

type JobFailure = { message: string; code?: string; given?: string; allowed?: string }

const ERRORS = { ERR_GROUP: GroupError, ERR_RECIPE: RecipeError }

const REMEDIES: Readonly<Record<string, string>> = {
  ERR_OUT_OF_MEMORY: 'Dispose tensors that are no longer needed, or make the product smaller.',
}

/** Turns what a job reported into a typed error. */
async function settled(work: Promise<void>): Promise<void> {
  try {
    await work
  } catch (cause) {
    const { message, code, given, allowed } = cause as JobFailure
    const Class = ERRORS[code as keyof typeof ERRORS] ?? NativeError
    const remedy = code === undefined ? undefined : REMEDIES[code]
    throw new Class(message, {
      ...(code === undefined ? {} : { code }),
      ...(given === undefined ? {} : { given }),
      ...(allowed === undefined ? {} : { allowed }),
      ...(remedy === undefined ? {} : { remedy }),
    })
  }
}
