import type { DType } from '@deepgemm/core'

/** Element types of the safetensors format that fill whole bytes, by the names files use. */
export type SafetensorsDType =
  | 'BOOL'
  | 'U8'
  | 'I8'
  | 'F8_E4M3'
  | 'F8_E5M2'
  | 'F8_E8M0'
  | 'F8_E4M3FNUZ'
  | 'F8_E5M2FNUZ'
  | 'I16'
  | 'U16'
  | 'F16'
  | 'BF16'
  | 'I32'
  | 'U32'
  | 'F32'
  | 'C64'
  | 'F64'
  | 'I64'
  | 'U64'

const TABLE: Readonly<Record<SafetensorsDType, { bytes: number; core?: DType }>> = {
  BOOL: { bytes: 1, core: 'bool' },
  U8: { bytes: 1, core: 'u8' },
  I8: { bytes: 1, core: 'i8' },
  F8_E4M3: { bytes: 1, core: 'e4m3' },
  F8_E5M2: { bytes: 1, core: 'e5m2' },
  F8_E8M0: { bytes: 1, core: 'ue8m0' },
  F8_E4M3FNUZ: { bytes: 1 },
  F8_E5M2FNUZ: { bytes: 1 },
  I16: { bytes: 2, core: 'i16' },
  U16: { bytes: 2, core: 'u16' },
  F16: { bytes: 2, core: 'f16' },
  BF16: { bytes: 2, core: 'bf16' },
  I32: { bytes: 4, core: 'i32' },
  U32: { bytes: 4, core: 'u32' },
  F32: { bytes: 4, core: 'f32' },
  C64: { bytes: 8 },
  F64: { bytes: 8, core: 'f64' },
  I64: { bytes: 8, core: 'i64' },
  U64: { bytes: 8, core: 'u64' },
}

/** The dtypes this package reads and writes, in a fixed order. */
export const SAFETENSORS_DTYPES: readonly SafetensorsDType[] = Object.keys(
  TABLE,
) as SafetensorsDType[]

/** Types of the format whose elements are not whole bytes; recognised so that they can be refused by name. */
const SUB_BYTE: ReadonlySet<string> = new Set(['F4', 'F6_E2M3', 'F6_E3M2'])

const BY_CORE: ReadonlyMap<DType, SafetensorsDType> = new Map(
  SAFETENSORS_DTYPES.flatMap((name) => {
    const core = TABLE[name].core
    return core === undefined ? [] : [[core, name] as const]
  }),
)

/** True when `value` names a dtype this package reads and writes. */
export function isSafetensorsDType(value: unknown): value is SafetensorsDType {
  return typeof value === 'string' && Object.hasOwn(TABLE, value)
}

/** True for the format's 4-bit and 6-bit types. */
export function isSubByteDType(value: unknown): boolean {
  return typeof value === 'string' && SUB_BYTE.has(value)
}

/** Bytes of one element. */
export function safetensorsDTypeBytes(dtype: SafetensorsDType): number {
  return TABLE[dtype].bytes
}

/** The library's dtype for a file's, or undefined where the library has none (C64 and the FNUZ floats). */
export function coreDType(dtype: SafetensorsDType): DType | undefined {
  return TABLE[dtype].core
}

/** The file's name for one of the library's dtypes; every one has a name. */
export function safetensorsDType(dtype: DType): SafetensorsDType {
  return BY_CORE.get(dtype) as SafetensorsDType
}
