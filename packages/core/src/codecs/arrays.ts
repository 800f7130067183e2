import { type DType, dtypeBytes } from '../dtype.js'
import { DTypeError, ShapeError } from '../errors.js'
import { type FloatCodec, roundHalfEven } from './float-format.js'
import { bf16, e4m3, e5m2, f16, ue8m0 } from './formats.js'

const CODECS: Partial<Record<DType, FloatCodec>> = { e4m3, e5m2, ue8m0, f16, bf16 }

type NumberArray =
  | Float32Array
  | Float64Array
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array

type NumberArrayConstructor = {
  new (length: number): NumberArray & { buffer: ArrayBuffer }
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): NumberArray
}

const NATIVE: Partial<Record<DType, NumberArrayConstructor>> = {
  f32: Float32Array,
  f64: Float64Array,
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  bool: Uint8Array,
}

const tables = new Map<DType, Float32Array>()

/** All values of an 8- or 16-bit format, indexed by code. */
export function decodeTable(dtype: DType): Float32Array {
  const known = tables.get(dtype)
  if (known !== undefined) return known
  const codec = CODECS[dtype]
  if (codec === undefined) throw unsupported(dtype)
  const table = Float32Array.from({ length: 256 ** dtypeBytes(dtype) }, (_, c) => codec.decode(c))
  tables.set(dtype, table)
  return table
}

/**
 * Little-endian bytes of `values` in `dtype`, rounded to nearest even (ue8m0: up).
 *
 * @throws {DTypeError} for values that an integer dtype or bool does not have, and for 64-bit
 * integers, which JavaScript numbers cannot hold.
 */
export function encodeArray(dtype: DType, values: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  const codec = CODECS[dtype]
  const Native =
    codec === undefined ? NATIVE[dtype] : dtypeBytes(dtype) === 1 ? Uint8Array : Uint16Array
  if (Native === undefined) throw unsupported(dtype)
  const out = new Native(values.length)
  const convert = codec?.encode ?? nativeConversion(dtype)
  for (let i = 0; i < values.length; i++) out[i] = convert(values[i] as number)
  return new Uint8Array(out.buffer)
}

/** Typed arrays round to f32 by themselves, but wrap integers. */
function nativeConversion(dtype: DType): (value: number) => number {
  if (dtype === 'f32' || dtype === 'f64') return (value) => value
  const [min, max] = integerRange(dtype)
  return (value) => {
    const rounded = dtype === 'bool' ? value : roundHalfEven(value)
    if (Number.isInteger(rounded) && rounded >= min && rounded <= max) return rounded
    throw new DTypeError(`A value cannot be stored as ${dtype}`, {
      given: String(value),
      allowed: `${dtype === 'bool' ? 'exactly' : 'numbers from'} ${min} ${dtype === 'bool' ? 'or' : 'to'} ${max}`,
    })
  }
}

function integerRange(dtype: DType): [min: number, max: number] {
  if (dtype === 'bool') return [0, 1]
  const bits = 8 * dtypeBytes(dtype)
  return dtype.startsWith('u') ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1]
}

/**
 * The values of little-endian `bytes` in `dtype`; exact but for f64, i32 and u32, which are rounded to f32.
 *
 * @throws {ShapeError} when the bytes are not a whole number of elements.
 */
export function decodeArray(dtype: DType, bytes: Uint8Array): Float32Array {
  const size = dtypeBytes(dtype)
  if (bytes.byteLength % size !== 0) {
    throw new ShapeError(`Bytes of ${dtype} data are not a whole number of elements`, {
      given: `${bytes.byteLength} bytes`,
      allowed: `a multiple of ${size}`,
    })
  }
  if (dtype === 'bf16') return decodeBf16(typedView(bytes, Uint16Array, 2) as Uint16Array)
  if (CODECS[dtype] !== undefined) {
    const table = decodeTable(dtype)
    const codes = typedView(bytes, size === 1 ? Uint8Array : Uint16Array, size)
    const out = new Float32Array(codes.length)
    for (let i = 0; i < out.length; i++) out[i] = table[codes[i] as number] as number
    return out
  }
  const Native = NATIVE[dtype]
  if (Native === undefined) throw unsupported(dtype)
  return new Float32Array(typedView(bytes, Native, size))
}

function decodeBf16(codes: Uint16Array): Float32Array {
  const out = new Uint32Array(codes.length)
  for (let i = 0; i < codes.length; i++) out[i] = (codes[i] as number) << 16
  return new Float32Array(out.buffer)
}

/** A typed view of `bytes`, copied only when its offset is not aligned to the element size. */
function typedView(bytes: Uint8Array, Native: NumberArrayConstructor, size: number): NumberArray {
  // Not slice(): that of a Node Buffer makes a view, as unaligned as the original.
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes)
  return new Native(aligned.buffer, aligned.byteOffset, aligned.byteLength / size)
}

function unsupported(dtype: DType): DTypeError {
  return new DTypeError('No number codec for this dtype', {
    given: dtype,
    allowed: 'e4m3, e5m2, ue8m0, bf16, f16, f32, f64, bool and integers of at most 32 bits',
  })
}
