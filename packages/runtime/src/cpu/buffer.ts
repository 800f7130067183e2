import {
  type DeviceRef,
  DisposedError,
  NativeError,
  ShapeError,
  type Storage,
} from '@deepgemm/core'
import { unwatch, watchForLeak } from '../leak-warning.js'
import type { Ledger } from '../ledger.js'
import type { NativeBuffer } from '../native/addon.js'
import { loadAddon } from '../native/load.js'
import type { CpuStream } from './stream.js'

type Owner = { readonly device: DeviceRef; readonly ledger: Ledger }

/**
 * Host memory with an owner. Work that is enqueued on it keeps the memory itself alive: disposing
 * a buffer that a GEMM still reads is safe and frees the memory when that GEMM ends.
 */
export class CpuBuffer implements Storage {
  readonly device: DeviceRef
  readonly byteLength: number
  readonly label: string
  readonly native: NativeBuffer
  /** How native operations name it. */
  readonly id: number
  readonly #ledger: Ledger
  readonly #entry: number
  /** Streams with enqueued work on this buffer, and the ticket of the last of it. */
  readonly #users = new Map<CpuStream, number>()
  /** The caller's memory, when it is borrowed. */
  #lent: ArrayBufferView | undefined
  #disposed = false

  private constructor(owner: Owner, native: NativeBuffer, byteLength: number, label: string) {
    this.device = owner.device
    this.byteLength = byteLength
    this.label = label
    this.native = native
    this.id = native.id
    this.#ledger = owner.ledger
    this.#entry = owner.ledger.add({ label, bytes: byteLength })
    watchForLeak(this, { ledger: owner.ledger, id: this.#entry, label, bytes: byteLength })
  }

  /** Zeroed memory. @throws {NativeError} when there is not enough. */
  static allocate(owner: Owner, byteLength: number, label: string): CpuBuffer {
    try {
      const native = new (loadAddon().Buffer)(byteLength)
      return new CpuBuffer(owner, native, byteLength, label)
    } catch (cause) {
      throw new NativeError(`No memory for ${label}`, {
        given: `${byteLength} bytes, with ${owner.ledger.report().liveBytes} live on ${owner.device.id}`,
        remedy: 'Dispose tensors that are no longer needed; device.memory() lists them.',
        code: 'ERR_OUT_OF_MEMORY',
        cause,
      })
    }
  }

  /** The caller's memory, without a copy. */
  static borrow(owner: Owner, view: ArrayBufferView<ArrayBuffer>, label: string): CpuBuffer {
    const native = new (loadAddon().Buffer)(view.buffer, view.byteOffset, view.byteLength)
    const buffer = new CpuBuffer(owner, native, view.byteLength, label)
    buffer.#lent = view
    return buffer
  }

  /** Also true when the caller has transferred or detached the memory that it lent. */
  get disposed(): boolean {
    return this.#disposed || this.#isTakenBack()
  }

  /** The memory itself. Enqueued work may still be writing to it: synchronize its stream first. */
  bytes(): Uint8Array<ArrayBuffer> {
    this.#requireLive()
    return new Uint8Array(this.native.view())
  }

  async read(byteOffset: number, byteLength: number): Promise<Uint8Array> {
    this.#requireRange(byteOffset, byteLength)
    await this.#settle()
    return this.bytes().slice(byteOffset, byteOffset + byteLength)
  }

  async write(byteOffset: number, bytes: Uint8Array): Promise<void> {
    this.#requireRange(byteOffset, bytes.byteLength)
    await this.#settle()
    this.bytes().set(bytes, byteOffset)
  }

  /** Notes that `stream` has work on this buffer, up to the ticket `last`. */
  usedBy(stream: CpuStream, last: number): void {
    this.#users.set(stream, last)
  }

  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    this.#users.clear()
    this.#lent = undefined
    this.#ledger.remove(this.#entry)
    unwatch(this)
    this.native.dispose()
  }

  /**
   * Waits for the work that was enqueued on this buffer when it was called, and for no later work:
   * what fails in that is no concern of a read.
   */
  async #settle(): Promise<void> {
    for (const [stream, last] of [...this.#users]) {
      await stream.drain(last)
      // Forgotten only now, and only without newer work: a read beside this one must wait as well.
      if (this.#users.get(stream) === last) this.#users.delete(stream)
    }
  }

  #requireRange(byteOffset: number, byteLength: number): void {
    this.#requireLive()
    if (byteOffset >= 0 && byteLength >= 0 && byteOffset + byteLength <= this.byteLength) return
    throw new ShapeError(`Buffer ${this.label} is shorter than the range`, {
      given: `bytes ${byteOffset} to ${byteOffset + byteLength}`,
      allowed: `0 to ${this.byteLength}`,
    })
  }

  #isTakenBack(): boolean {
    return this.#lent !== undefined && this.#lent.byteLength !== this.byteLength
  }

  #requireLive(): void {
    if (this.#isTakenBack()) {
      throw new DisposedError(`Buffer ${this.label} has lost its memory`, {
        given: 'a host array that was transferred or detached',
        remedy: 'Keep the array while tensors wrap it, or copy it with device.tensor().',
      })
    }
    if (!this.#disposed) return
    throw new DisposedError(`Buffer ${this.label} was disposed`, {
      remedy: 'Dispose buffers only after their last use.',
    })
  }
}
