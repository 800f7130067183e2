import { type SafetensorsDType, safetensorsDTypeBytes } from './dtypes.js'

/** What a writer must know of a tensor before its data. */
export type TensorSpec = {
  readonly name: string
  readonly dtype: SafetensorsDType
  readonly shape: readonly number[]
}

/** A tensor in a file. */
export type TensorEntry = TensorSpec & {
  readonly byteLength: number
  /** Where its first byte lies, counted from the start of the file. */
  readonly fileOffset: number
}

/** Bytes of a tensor, or undefined where the product is not exact in a double. */
export function tensorByteLength(
  dtype: SafetensorsDType,
  shape: readonly number[],
): number | undefined {
  let bytes = safetensorsDTypeBytes(dtype)
  for (const extent of shape) {
    bytes *= extent
    if (!Number.isSafeInteger(bytes)) return undefined
  }
  return bytes
}
