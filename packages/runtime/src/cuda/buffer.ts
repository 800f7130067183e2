import { DisposedError, ShapeError, type Storage } from '@deepgemm/core'
import { unwatch, watchForLeak } from '../leak-warning.js'
import type { Ledger } from '../ledger.js'
import type { NativeStream } from '../native/addon.js'
import type { NativeCudaMemory } from '../native/cuda.js'
import { loadAddon } from '../native/load.js'
import type { CudaDevice } from './device.js'

type Making = {
  readonly device: CudaDevice
  readonly ledger: Ledger
  /** Queue whose thread copies to and from host memory. */
  readonly transfers: NativeStream
  readonly label: string
}

let made = 0

/**
 * Memory of the GPU with an owner. It is freed in stream order: disposing a buffer that a queued
 * kernel or a graph still reads is safe and frees it behind that work.
 */
export class CudaBuffer implements Storage {
  readonly device: CudaDevice
  readonly byteLength: number
  readonly label: string
  /** Of this process; never used again. */
  readonly serial: number = made++
  readonly native: NativeCudaMemory
  readonly #ledger: Ledger
  readonly #entry: number
  readonly #transfers: NativeStream
  #disposed = false

  /** Zeroed; a copy of `source`; or, for null, whatever is there. @throws {CudaMemoryError | CudaError} */
  constructor(making: Making, byteLength: number, source?: Uint8Array | null) {
    const { device, ledger, transfers, label } = making
    this.device = device
    this.byteLength = byteLength
    this.label = label
    this.#ledger = ledger
    this.#transfers = transfers
    const { Memory } = loadAddon().cuda
    const subject = `No memory of ${byteLength} bytes for ${label}, with ${ledger.report().liveBytes} live on ${device.id}`
    this.native = device.health.call(subject, () => {
      return new Memory(device.native, device.defaultStream.native, byteLength, source)
    })
    this.#entry = ledger.add({ label, bytes: byteLength })
    watchForLeak(this, { ledger, id: this.#entry, label, bytes: byteLength })
  }

  get disposed(): boolean {
    return this.#disposed
  }

  async read(byteOffset: number, byteLength: number): Promise<Uint8Array> {
    this.requireRange(byteOffset, byteLength)
    if (byteLength === 0) return new Uint8Array(0)
    const target = new (loadAddon().Buffer)(byteLength)
    const view = new Uint8Array(target.view())
    await this.#transfer('read', (queue) => {
      this.native.read(queue, byteOffset, byteLength, target)
    })
    return view
  }

  /** `bytes` must not be transferred or detached before the promise has settled. */
  async write(byteOffset: number, bytes: Uint8Array): Promise<void> {
    this.requireRange(byteOffset, bytes.byteLength)
    if (bytes.byteLength === 0) return
    const plain = bytes.buffer instanceof ArrayBuffer ? bytes : Uint8Array.from(bytes)
    const { buffer, byteOffset: start, byteLength } = plain as Uint8Array<ArrayBuffer>
    const source = new (loadAddon().Buffer)(buffer, start, byteLength)
    await this.#transfer('written', (queue) => this.native.write(queue, byteOffset, source))
  }

  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    this.#ledger.remove(this.#entry)
    unwatch(this)
    this.native.dispose()
  }

  /** @throws {DisposedError | ShapeError} unless the bytes lie in this live buffer. */
  requireRange(byteOffset: number, byteLength: number): void {
    this.requireLive()
    const isRange = byteOffset >= 0 && byteLength >= 0
    if (isRange && byteOffset + byteLength <= this.byteLength) return
    throw new ShapeError(`Buffer ${this.label} is shorter than the range`, {
      given: `bytes ${byteOffset} to ${byteOffset + byteLength}`,
      allowed: `0 to ${this.byteLength}`,
    })
  }

  /** @throws {DisposedError} */
  requireLive(): void {
    if (!this.#disposed) return
    throw new DisposedError(`Buffer ${this.label} was disposed`, {
      remedy: 'Dispose buffers only after their last use.',
    })
  }

  async #transfer(verb: string, enqueue: (queue: NativeStream) => void): Promise<void> {
    const subject = `Buffer ${this.label} could not be ${verb}`
    this.device.health.call(subject, () => enqueue(this.#transfers))
    await this.device.health.settle(subject, Promise.resolve(this.#transfers.synchronize()))
  }
}
