import {
  type DType,
  DTypeError,
  dtypeBytes,
  elementCount,
  encodeArray,
  ShapeError,
  showShape,
} from '@deepgemm/core'
import type { TensorSpec } from './device.js'

/** Typed arrays whose memory can back or fill a tensor. */
export type HostArray =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>

/** Array types whose elements are the stored form of a dtype. */
const STORED_AS: Readonly<Record<DType, readonly string[]>> = {
  e4m3: ['Uint8Array'],
  e5m2: ['Uint8Array'],
  ue8m0: ['Uint8Array'],
  bf16: ['Uint16Array'],
  f16: ['Uint16Array'],
  f32: ['Float32Array'],
  f64: ['Float64Array'],
  bool: ['Uint8Array'],
  u8: ['Uint8Array'],
  i8: ['Int8Array'],
  u16: ['Uint16Array'],
  i16: ['Int16Array'],
  u32: ['Uint32Array'],
  i32: ['Int32Array'],
  u64: ['BigUint64Array'],
  i64: ['BigInt64Array'],
}

/**
 * The bytes of `data` as `spec.dtype`: its own memory when it already has the stored form,
 * else rounded copies of its numbers.
 *
 * @throws {ShapeError | DTypeError}
 */
export function hostBytes(data: HostArray, spec: TensorSpec): Uint8Array<ArrayBuffer> {
  requireHostArray(data)
  if (isStoredForm(data, spec.dtype)) return sameBytes(data, spec)
  if (!(data instanceof Float32Array || data instanceof Float64Array)) {
    throw formError(data, spec.dtype, [...STORED_AS[spec.dtype], 'Float32Array', 'Float64Array'])
  }
  if (data.length !== elementCount(spec.shape)) throw lengthError(data.length, spec)
  return encodeArray(spec.dtype, data)
}

/**
 * The memory of `data`, which must already have the stored form and a fixed size.
 *
 * @throws {ShapeError | DTypeError}
 */
export function storedBytes(data: HostArray, spec: TensorSpec): Uint8Array<ArrayBuffer> {
  requireHostArray(data)
  if (!isStoredForm(data, spec.dtype)) throw formError(data, spec.dtype, STORED_AS[spec.dtype])
  if (isResizable(data)) {
    throw new DTypeError('Host data may change its size', {
      given: 'a typed array over a resizable ArrayBuffer',
      allowed: 'a typed array over an ArrayBuffer of fixed size',
      remedy: 'Copy it with device.tensor().',
    })
  }
  return sameBytes(data, spec)
}

function sameBytes(data: HostArray, spec: TensorSpec): Uint8Array<ArrayBuffer> {
  const elements = data.byteLength / dtypeBytes(spec.dtype)
  if (elements !== elementCount(spec.shape)) throw lengthError(elements, spec)
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

/** True when the elements of `data` are the stored form of `dtype`. */
export function isStoredForm(data: HostArray, dtype: DType): boolean {
  return STORED_AS[dtype].includes(data[Symbol.toStringTag])
}

/** Jobs hold a plain address: memory that shrinks under them would end the process. */
export function isResizable({ buffer }: HostArray): boolean {
  // Newer than the language version this is compiled for.
  return (buffer as { readonly resizable?: boolean }).resizable === true
}

function requireHostArray(data: unknown): asserts data is HostArray {
  if (ArrayBuffer.isView(data) && !(data instanceof DataView)) {
    if (data.buffer instanceof ArrayBuffer) return
    throw new DTypeError('Host data is in shared memory', {
      given: 'a typed array over a SharedArrayBuffer',
      allowed: 'a typed array over an ArrayBuffer',
      remedy: 'Copy it first, for instance with Float32Array.from().',
    })
  }
  throw new DTypeError('Host data is not a typed array', {
    given: data === null ? 'null' : (data?.constructor?.name ?? typeof data),
    allowed: 'Float32Array and its siblings',
  })
}

function lengthError(elements: number, spec: TensorSpec): ShapeError {
  return new ShapeError('Host data does not fill the shape', {
    given: `${elements} elements for ${showShape(spec.shape)}`,
    allowed: `${elementCount(spec.shape)} elements`,
  })
}

function formError(data: HostArray, dtype: DType, allowed: readonly string[]): DTypeError {
  return new DTypeError(`Host data cannot become ${dtype}`, {
    given: data[Symbol.toStringTag],
    allowed: [...new Set(allowed)].join(', '),
  })
}
