import { decodeArray } from './codecs/arrays.js'
import { DTYPES, type DType, dtypeBytes, requireDType } from './dtype.js'
import { DisposedError, LayoutError, ShapeError } from './errors.js'
import { elementCount, requireShape, rowMajorStrides, type Shape, showShape } from './shape.js'
import type { DeviceRef, Storage } from './storage.js'

/** How a tensor lies in its storage. */
export type TensorLayout<D extends DType = DType> = {
  readonly dtype: D
  readonly shape: Shape
  /** In elements; row-major when left out. */
  readonly strides?: readonly number[]
  /** In bytes from the start of the storage. */
  readonly byteOffset?: number
}

/**
 * A typed, strided view of device memory.
 *
 * Views made by `slice`, `reshape` and `transpose` share the storage; disposing any of them
 * disposes it for all.
 */
export class Tensor<D extends DType = DType> {
  readonly storage: Storage
  readonly dtype: D
  readonly shape: Shape
  /** In elements. */
  readonly strides: readonly number[]
  readonly byteOffset: number

  /** @throws {DTypeError | ShapeError | LayoutError} when the view does not lie within the storage. */
  constructor(storage: Storage, layout: TensorLayout<D>) {
    this.storage = storage
    this.dtype = requireDType(`Tensor ${storage.label}`, layout.dtype, DTYPES) as D
    // Copies, frozen: what was checked here is what kernels are told.
    this.shape = Object.freeze([...requireShape(`Tensor ${storage.label}`, layout.shape)])
    this.strides = Object.freeze([...(layout.strides ?? rowMajorStrides(layout.shape))])
    this.byteOffset = layout.byteOffset ?? 0
    requireWithin(this)
  }

  get device(): DeviceRef {
    return this.storage.device
  }

  /** Number of elements. */
  get size(): number {
    return elementCount(this.shape)
  }

  /** Bytes of the elements themselves, without gaps between rows. */
  get byteLength(): number {
    return this.size * dtypeBytes(this.dtype)
  }

  /** True when the elements lie back to back in row-major order. */
  get isContiguous(): boolean {
    if (this.size === 0) return true
    const dense = rowMajorStrides(this.shape)
    return this.shape.every((extent, i) => extent <= 1 || this.strides[i] === dense[i])
  }

  /** The same elements under another shape. @throws {LayoutError | ShapeError} */
  reshape(shape: Shape): Tensor<D> {
    if (!this.isContiguous) {
      throw new LayoutError(`Tensor ${this.storage.label} cannot be reshaped`, {
        given: `strides [${this.strides.join(', ')}] for shape ${showShape(this.shape)}`,
        allowed: 'a contiguous tensor',
      })
    }
    if (elementCount(requireShape('The new shape', shape)) !== this.size) {
      throw new ShapeError(`Tensor ${this.storage.label} cannot be reshaped`, {
        given: `${showShape(this.shape)} to ${showShape(shape)}`,
        allowed: 'shapes with the same number of elements',
      })
    }
    return new Tensor(this.storage, { dtype: this.dtype, shape, byteOffset: this.byteOffset })
  }

  /** Elements `start` to `end` (exclusive) along `dim`. @throws {ShapeError} */
  slice(dim: number, start: number, end: number): Tensor<D> {
    const extent = this.shape[dim]
    const isRange = Number.isSafeInteger(start) && Number.isSafeInteger(end) && start <= end
    if (extent === undefined || !isRange || start < 0 || end > extent) {
      throw new ShapeError(`Tensor ${this.storage.label} cannot be sliced`, {
        given: `dim ${dim}, ${start} to ${end} of shape ${showShape(this.shape)}`,
        allowed: 'a dim of the tensor and integers 0 ≤ start ≤ end ≤ its extent',
      })
    }
    // An empty slice at the very end would start past a storage whose last row has no gap.
    const first = start === end ? 0 : start
    const skipped = first * (this.strides[dim] as number) * dtypeBytes(this.dtype)
    return new Tensor(this.storage, {
      dtype: this.dtype,
      shape: this.shape.with(dim, end - start),
      strides: this.strides,
      byteOffset: this.byteOffset + skipped,
    })
  }

  /** The last two dimensions exchanged; no data moves. @throws {ShapeError} below rank 2. */
  transpose(): Tensor<D> {
    if (this.shape.length < 2) {
      throw new ShapeError(`Tensor ${this.storage.label} cannot be transposed`, {
        given: `rank ${this.shape.length}`,
        allowed: 'rank 2 or more',
      })
    }
    const swap = (list: readonly number[]): number[] => [
      ...list.slice(0, -2),
      list.at(-1) as number,
      list.at(-2) as number,
    ]
    return new Tensor(this.storage, {
      dtype: this.dtype,
      shape: swap(this.shape),
      strides: swap(this.strides),
      byteOffset: this.byteOffset,
    })
  }

  /** Row-major bytes of the elements, once all work enqueued on the storage has finished. */
  async toBytes(): Promise<Uint8Array> {
    this.requireLive()
    const width = dtypeBytes(this.dtype)
    const span = spanInElements(this.shape, this.strides) * width
    const bytes = await this.storage.read(this.byteOffset, span)
    return this.isContiguous ? bytes : gather(bytes, this.shape, this.strides, width)
  }

  /** The elements as numbers, once all work enqueued on the storage has finished. */
  async toFloat32Array(): Promise<Float32Array> {
    return decodeArray(this.dtype, await this.toBytes())
  }

  /** @throws {DisposedError} when the storage was disposed. */
  requireLive(): void {
    if (!this.storage.disposed) return
    throw new DisposedError(`Tensor ${this.storage.label} ${showShape(this.shape)} was disposed`, {
      remedy: 'Dispose tensors only after their last use.',
    })
  }

  /** Frees the storage, which other views may share. Idempotent. */
  dispose(): void {
    this.storage.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}

/** Elements from the first to the last one of a view, both included. */
function spanInElements(shape: Shape, strides: readonly number[]): number {
  if (shape.includes(0)) return 0
  return shape.reduce((span, extent, i) => span + (extent - 1) * (strides[i] as number), 1)
}

function requireWithin(tensor: Tensor): void {
  const { storage, shape, strides, byteOffset } = tensor
  const width = dtypeBytes(tensor.dtype)
  const validStrides =
    strides.length === shape.length && strides.every((x) => Number.isSafeInteger(x) && x >= 0)
  if (!validStrides || !Number.isSafeInteger(byteOffset) || byteOffset % width !== 0) {
    throw new LayoutError(`Tensor ${storage.label} has an invalid layout`, {
      given: `strides [${strides.join(', ')}], byte offset ${byteOffset} for ${showShape(shape)}`,
      allowed: `one non-negative stride per dimension and an offset that is a multiple of ${width}`,
    })
  }
  const end = byteOffset + spanInElements(shape, strides) * width
  if (byteOffset < 0 || !(end <= storage.byteLength)) {
    throw new ShapeError(`Tensor ${storage.label} does not fit its storage`, {
      given: `${showShape(shape)} ${tensor.dtype} ending at byte ${end}`,
      allowed: `${storage.byteLength} bytes`,
    })
  }
}

/** Collects strided elements of `width` bytes into row-major order. */
function gather(
  source: Uint8Array,
  shape: Shape,
  strides: readonly number[],
  width: number,
): Uint8Array {
  const out = new Uint8Array(elementCount(shape) * width)
  let written = 0
  const visit = (dim: number, from: number): void => {
    if (dim === shape.length) {
      out.set(source.subarray(from * width, (from + 1) * width), written)
      written += width
      return
    }
    for (let i = 0; i < (shape[dim] as number); i++)
      visit(dim + 1, from + i * (strides[dim] as number))
  }
  visit(0, 0)
  return out
}
