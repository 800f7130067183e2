import { DeviceError, NativeError, type Tensor } from '@deepgemm/core'
import type { NativeAddon, NativeOpName } from '../native/addon.js'
import { loadAddon } from '../native/load.js'
import { CpuBuffer } from './buffer.js'
import type { CpuDevice } from './device.js'
import type { CpuStream } from './stream.js'

/** Whose parameters the addon's array holds: one operation's at a time. */
let current: OpArgs | undefined

/** Collects the parameters of one native operation in the order that the operation reads them. */
export class OpArgs {
  readonly #addon: NativeAddon = loadAddon()
  readonly #params: Float64Array = this.#addon.params
  readonly #buffers: CpuBuffer[] = []
  #count = 0

  constructor() {
    current = this
  }

  number(value: number): this {
    this.#params[this.#count++] = value
    return this
  }

  numbers(...values: readonly number[]): this {
    for (const value of values) this.#params[this.#count++] = value
    return this
  }

  flag(value: boolean): this {
    return this.number(value ? 1 : 0)
  }

  /** A pointer to a tensor's first element, or a null pointer. @throws {DeviceError | DisposedError} */
  pointer(tensor: Tensor | undefined): this {
    if (tensor === undefined) return this.number(-1).number(0)
    tensor.requireLive()
    const buffer = requireCpuBuffer(tensor)
    this.#buffers.push(buffer)
    return this.number(buffer.id).number(tensor.byteOffset)
  }

  /** Enqueues the operation on `stream`. @throws {DisposedError} */
  enqueue(name: NativeOpName, device: CpuDevice, stream: CpuStream): void {
    stream.requireLive()
    if (current !== this || this.#count > this.#params.length) throw mixedUp(name, this.#count)
    current = undefined
    const ticket = this.#addon[name](device.native, stream.native)
    for (const buffer of this.#buffers) buffer.usedBy(stream, ticket)
  }
}

/** Parameters that another operation has overwritten, or that there is no room for. */
function mixedUp(name: string, count: number): NativeError {
  return new NativeError(`The parameters of ${name} are not those it was given`, {
    given: `${count} parameters, or another operation between them`,
    remedy: 'This is a mistake in DeepGEMM: please report it.',
  })
}

/** @throws {DeviceError} when the tensor is not on a CPU device. */
function requireCpuBuffer(tensor: Tensor): CpuBuffer {
  if (tensor.storage instanceof CpuBuffer) return tensor.storage
  throw new DeviceError(`Tensor ${tensor.storage.label} is on another device`, {
    given: tensor.device.id,
    allowed: 'a CPU device',
  })
}
