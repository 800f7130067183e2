import { DeviceError, type Tensor } from '@deepgemm/core'
import type { NativeBuffer, NativeOpName } from '../native/addon.js'
import { loadAddon } from '../native/load.js'
import { CpuBuffer } from './buffer.js'
import type { CpuDevice } from './device.js'
import type { CpuStream } from './stream.js'

/** Longer than any operation's parameter list. */
const MAX_PARAMS = 128

// One scratch array for all calls: the addon reads it before the call returns.
const params = new Float64Array(MAX_PARAMS)

/** Collects the parameters of one native operation in the order that the operation reads them. */
export class OpArgs {
  #count = 0
  readonly #buffers: CpuBuffer[] = []
  readonly #native: NativeBuffer[] = []
  readonly #params: number[] = []

  number(value: number): this {
    this.#params[this.#count++] = value
    return this
  }

  numbers(...values: readonly number[]): this {
    for (const value of values) this.number(value)
    return this
  }

  flag(value: boolean): this {
    return this.number(value ? 1 : 0)
  }

  /** A pointer to a tensor's first element, or a null pointer. @throws {DeviceError | DisposedError} */
  pointer(tensor: Tensor | undefined): this {
    if (tensor === undefined) return this.numbers(-1, 0)
    tensor.requireLive()
    return this.numbers(this.#indexOf(requireCpuBuffer(tensor)), tensor.byteOffset)
  }

  /** Enqueues the operation on `stream`. @throws {DisposedError} */
  enqueue(name: NativeOpName, device: CpuDevice, stream: CpuStream): void {
    stream.requireLive()
    params.set(this.#params)
    loadAddon()[name](device.native, stream.native, params, this.#native)
    const last = stream.native.record()
    for (const buffer of this.#buffers) buffer.usedBy(stream, last)
  }

  #indexOf(buffer: CpuBuffer): number {
    const known = this.#buffers.indexOf(buffer)
    if (known >= 0) return known
    this.#native.push(buffer.native)
    return this.#buffers.push(buffer) - 1
  }
}

/** @throws {DeviceError} when the tensor is not on a CPU device. */
function requireCpuBuffer(tensor: Tensor): CpuBuffer {
  if (tensor.storage instanceof CpuBuffer) return tensor.storage
  throw new DeviceError(`Tensor ${tensor.storage.label} is on another device`, {
    given: tensor.device.id,
    allowed: 'a CPU device',
  })
}
