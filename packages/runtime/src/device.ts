import type { DeviceRef, DType, Shape, Tensor } from '@deepgemm/core'
import type { HostArray } from './host-array.js'
import type { MemoryReport } from './ledger.js'
import type { Stream } from './stream.js'

/** Dtype and shape of a tensor to be made. */
export type TensorSpec<D extends DType = DType> = {
  readonly dtype: D
  readonly shape: Shape
  /** Names the tensor in errors and in `memory()`. */
  readonly label?: string
}

/** A place to compute: owns memory, streams and, on the CPU, a thread pool. */
export interface Device extends DeviceRef, AsyncDisposable {
  /** Instruction set on the CPU, compute capability on a GPU. */
  readonly architecture: string
  /** Threads of the CPU's pool, or SMs of a GPU. */
  readonly parallelism: number
  readonly defaultStream: Stream
  readonly disposed: boolean
  createStream(label?: string): Stream
  /** A zeroed tensor. @throws {ShapeError | NativeError} */
  zeros<D extends DType>(spec: TensorSpec<D>): Tensor<D>
  /**
   * A tensor of whatever the memory holds, for work that writes all of it. A GPU saves the time of
   * writing zeros; the CPU gives zeros, which cost it nothing.
   *
   * @throws {ShapeError | NativeError}
   */
  empty<D extends DType>(spec: TensorSpec<D>): Tensor<D>
  /**
   * A tensor with a copy of `data`. Typed arrays whose element type is the dtype's are copied as
   * they are; numbers are rounded to the dtype.
   *
   * @throws {ShapeError | DTypeError}
   */
  tensor<D extends DType>(data: HostArray, spec: TensorSpec<D>): Tensor<D>
  /**
   * A tensor over the caller's own memory, without a copy. CPU only. The memory must not be
   * transferred or detached while the tensor is in use.
   *
   * @throws {DeviceError} on a GPU
   */
  wrap<D extends DType>(data: HostArray, spec: TensorSpec<D>): Tensor<D>
  /** Live bytes and who holds them. */
  memory(): MemoryReport
  /** Resolves when all streams are idle. */
  synchronize(): Promise<void>
  /** Waits for running work, then frees streams and threads. Tensors keep their memory. */
  dispose(): Promise<void>
}
