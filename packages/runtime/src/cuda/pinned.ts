import { DisposedError, ShapeError } from '@deepgemm/core'
import type { NativeCudaPinned } from '../native/cuda.js'
import { loadAddon } from '../native/load.js'
import type { CudaBuffer } from './buffer.js'
import type { CudaDevice } from './device.js'
import type { CudaStream } from './stream.js'

/** Where a copy starts on either side, and how long it is; all in bytes. */
export type CopyRange = {
  readonly bufferOffset?: number
  readonly hostOffset?: number
  /** Default: as much as the smaller side has from its offset. */
  readonly byteLength?: number
}

/**
 * Page-locked host memory: the GPU copies from and to it at full speed, in stream order and beside
 * kernels. It is a scarce resource; make few, keep them.
 */
export class PinnedBuffer implements Disposable {
  readonly device: CudaDevice
  readonly byteLength: number
  readonly native: NativeCudaPinned
  #disposed = false

  /** Made by `device.pinned()`. @throws {CudaMemoryError | CudaError} */
  constructor(device: CudaDevice, byteLength: number) {
    this.device = device
    this.byteLength = byteLength
    const { Pinned } = loadAddon().cuda
    this.native = device.health.call(`No page-locked memory of ${byteLength} bytes`, () => {
      return new Pinned(device.native, byteLength)
    })
  }

  get disposed(): boolean {
    return this.#disposed
  }

  /** The memory itself. Enqueued copies may still read or write it: synchronize their stream first. */
  bytes(): Uint8Array<ArrayBuffer> {
    this.#requireLive()
    return new Uint8Array(this.native.view() as ArrayBuffer)
  }

  /** Enqueues a copy from here to `buffer`. @throws {ShapeError | DisposedError | CudaError} */
  copyTo(buffer: CudaBuffer, range: CopyRange = {}, stream?: CudaStream): void {
    const target = stream ?? this.device.defaultStream
    const { bufferOffset, hostOffset, byteLength } = this.#resolve(buffer, range, target)
    this.device.health.call(`Buffer ${buffer.label} could not be filled`, () => {
      const { copyIn } = loadAddon().cuda
      copyIn(target.native, buffer.native, bufferOffset, this.native, hostOffset, byteLength)
    })
  }

  /** Enqueues a copy from `buffer` to here. @throws {ShapeError | DisposedError | CudaError} */
  copyFrom(buffer: CudaBuffer, range: CopyRange = {}, stream?: CudaStream): void {
    const source = stream ?? this.device.defaultStream
    const { bufferOffset, hostOffset, byteLength } = this.#resolve(buffer, range, source)
    this.device.health.call(`Buffer ${buffer.label} could not be read`, () => {
      const { copyOut } = loadAddon().cuda
      copyOut(source.native, this.native, hostOffset, buffer.native, bufferOffset, byteLength)
    })
  }

  /** Frees the memory once no enqueued copy uses it. Idempotent. */
  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    this.native.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  #resolve(buffer: CudaBuffer, range: CopyRange, stream: CudaStream): Required<CopyRange> {
    this.#requireLive()
    stream.requireLive()
    this.device.requireOwn(`Buffer ${buffer.label}`, buffer.device)
    this.device.requireOwn(`Stream ${stream.label}`, stream.device)
    const { bufferOffset = 0, hostOffset = 0 } = range
    const rest = Math.min(buffer.byteLength - bufferOffset, this.byteLength - hostOffset)
    const byteLength = range.byteLength ?? rest
    buffer.requireRange(bufferOffset, byteLength)
    const isRange = hostOffset >= 0 && hostOffset + byteLength <= this.byteLength
    if (isRange) return { bufferOffset, hostOffset, byteLength }
    throw new ShapeError('Page-locked memory is shorter than the range', {
      given: `bytes ${hostOffset} to ${hostOffset + byteLength}`,
      allowed: `0 to ${this.byteLength}`,
    })
  }

  #requireLive(): void {
    if (!this.#disposed) return
    throw new DisposedError('Page-locked memory was disposed', {
      remedy: 'Dispose it only after its last use.',
    })
  }
}
