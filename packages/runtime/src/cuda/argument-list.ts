import { DeviceError, OptionError, requireInteger, type Tensor } from '@deepgemm/core'
import type { NativeCudaMemory } from '../native/cuda.js'
import { CudaBuffer } from './buffer.js'
import type { CudaDevice } from './device.js'
import { type TensorMapView, tensorMapNumbers } from './tensor-map.js'

/** Most bytes of arguments that a kernel takes. */
const MAX_BYTES = 4096

// Kinds of arguments, in the order of `native/cuda/arguments.cpp`.
const POINTER = 0
const I32 = 1
const U32 = 2
const I64 = 3
const F32 = 4
const TENSOR_MAP = 5
const NO_TENSOR_MAP = 6

/** How a kernel takes its arguments. */
export type ArgumentForm = 'parameters' | 'struct'

/**
 * The arguments of a kernel in their order: one parameter each, or the members of the one struct
 * that the kernel takes, laid out as C++ does. Can be used for any number of launches.
 */
export class ArgumentList {
  readonly form: ArgumentForm
  readonly #numbers: number[] = []
  readonly #buffers: CudaBuffer[] = []
  readonly #memories: NativeCudaMemory[] = []
  #count = 0
  #bytes = 0
  #packed: Float64Array | undefined

  constructor(form: ArgumentForm = 'parameters') {
    this.form = form
  }

  /** A pointer to a tensor's first element, or a null pointer. */
  pointer(tensor: Tensor | undefined): this {
    return this.#add(POINTER, 8, 8, this.#address(tensor))
  }

  i32(value: number): this {
    return this.#add(I32, 4, 4, [requireInteger('An i32 argument', value, -(2 ** 31), 2 ** 31 - 1)])
  }

  u32(value: number): this {
    return this.#add(U32, 4, 4, [requireInteger('A u32 argument', value, 0, 2 ** 32 - 1)])
  }

  /** Exact up to 2^53. */
  i64(value: number): this {
    const least = Number.MIN_SAFE_INTEGER
    return this.#add(I64, 8, 8, [requireInteger('An i64 argument', value, least)])
  }

  f32(value: number): this {
    return this.#add(F32, 4, 4, [value])
  }

  /**
   * A tensor map by value, encoded at each launch; without a tensor, the zeros of a map that the
   * kernel does not read.
   *
   * @throws {LayoutError | ShapeError | DeviceError | DisposedError}
   */
  tensorMap(tensor: Tensor, view: TensorMapView): this
  tensorMap(tensor: undefined): this
  tensorMap(tensor: Tensor | undefined, view?: TensorMapView): this {
    if (tensor === undefined || view === undefined) return this.#add(NO_TENSOR_MAP, 128, 64, [])
    const numbers = tensorMapNumbers(tensor, view)
    return this.#add(TENSOR_MAP, 128, 64, [...this.#address(tensor), ...numbers])
  }

  /** Bytes up to the end of the last argument. */
  get byteLength(): number {
    return this.#bytes
  }

  /** What a launch is told: form, count, bytes and arguments. Made once, for launches to be quick. */
  get numbers(): Float64Array {
    if (this.#packed !== undefined) return this.#packed
    const packed = new Float64Array(3 + this.#numbers.length)
    packed[0] = this.form === 'struct' ? 1 : 0
    packed[1] = this.#count
    packed[2] = this.#bytes
    packed.set(this.#numbers, 3)
    this.#packed = packed
    return packed
  }

  /** The memories that the arguments point into. @throws {DeviceError | DisposedError} */
  memoriesOn(device: CudaDevice): readonly NativeCudaMemory[] {
    for (const buffer of this.#buffers) {
      buffer.requireLive()
      device.requireOwn(`Buffer ${buffer.label}`, buffer.device)
    }
    return this.#memories
  }

  #address(tensor: Tensor | undefined): number[] {
    if (tensor === undefined) return [-1, 0]
    tensor.requireLive()
    const { storage, byteOffset } = tensor
    if (!(storage instanceof CudaBuffer)) {
      throw new DeviceError(`Tensor ${storage.label} is on another device`, {
        given: storage.device.id,
        allowed: 'a CUDA device',
      })
    }
    const known = this.#buffers.indexOf(storage)
    if (known >= 0) return [known, byteOffset]
    this.#memories.push(storage.native)
    return [this.#buffers.push(storage) - 1, byteOffset]
  }

  #add(kind: number, bytes: number, alignment: number, numbers: readonly number[]): this {
    const end = Math.ceil(this.#bytes / alignment) * alignment + bytes
    if (end > MAX_BYTES) {
      throw new OptionError('A kernel takes fewer arguments', {
        given: `${end} bytes`,
        allowed: `at most ${MAX_BYTES} bytes`,
      })
    }
    this.#bytes = end
    this.#count += 1
    this.#packed = undefined
    this.#numbers.push(kind, ...numbers)
    return this
  }
}
