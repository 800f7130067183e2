/** Dtypes that weights are quantised from. */
export type SourceDType = 'f32' | 'f16' | 'bf16'

/** The library's name of a safetensors dtype that can be quantised. */
export function sourceDType(dtype: string): SourceDType {
  return dtype.toLowerCase() as SourceDType
}

/** Bits of an element that are all set in NaN and infinity, and in nothing else. */
const EXPONENT = { f32: 0x7f800000, f16: 0x7c00, bf16: 0x7f80 } as const

/** Index of the first NaN or infinity, or −1. */
export function nonFinite(dtype: SourceDType, bytes: Uint8Array): number {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes)
  const words =
    dtype === 'f32'
      ? new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4)
      : new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2)
  const mask = EXPONENT[dtype]
  for (let i = 0; i < words.length; i++) if (((words[i] as number) & mask) === mask) return i
  return -1
}
