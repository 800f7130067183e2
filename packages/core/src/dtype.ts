import { DTypeError } from './errors.js'

/** Element types of tensors. `e4m3` is float8_e4m3fn; `ue8m0` is an unsigned power-of-two scale. */
export type DType =
  | 'e4m3'
  | 'e5m2'
  | 'ue8m0'
  | 'bf16'
  | 'f16'
  | 'f32'
  | 'f64'
  | 'bool'
  | 'u8'
  | 'i8'
  | 'u16'
  | 'i16'
  | 'u32'
  | 'i32'
  | 'u64'
  | 'i64'

const BYTES: Readonly<Record<DType, number>> = {
  e4m3: 1,
  e5m2: 1,
  ue8m0: 1,
  bf16: 2,
  f16: 2,
  f32: 4,
  f64: 8,
  bool: 1,
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  u64: 8,
  i64: 8,
}

/** Every dtype, in a fixed order. */
export const DTYPES: readonly DType[] = Object.keys(BYTES) as DType[]

/** Dtypes of the float matrices that casts and the kernels around a GEMM read and write. */
export type FloatDType = 'f32' | 'f16' | 'bf16'

export const FLOAT_DTYPES: readonly FloatDType[] = ['f32', 'f16', 'bf16']

/** Bytes of one element. */
export function dtypeBytes(dtype: DType): number {
  return BYTES[dtype]
}

/** True when `value` names a dtype. */
export function isDType(value: unknown): value is DType {
  return typeof value === 'string' && Object.hasOwn(BYTES, value)
}

/** @throws {DTypeError} when `dtype` is not one of `allowed`. */
export function requireDType<D extends DType>(
  subject: string,
  dtype: DType,
  allowed: readonly D[],
): D {
  if ((allowed as readonly DType[]).includes(dtype)) return dtype as D
  throw new DTypeError(`${subject} has the wrong dtype`, {
    given: String(dtype),
    allowed: allowed.join(', '),
  })
}
