import type { Tensor } from '../tensor.js'

/** The compile-time choices of the byte transposition (`kernels/cuda/entry/transpose_e4m3.cu`). */
export type Sm90TransposeConfig = {
  readonly target: 'sm_90a'
  /** Rows of both matrices start at multiples of 16 bytes and hold whole ones. */
  readonly aligned: boolean
}

/** Elements of the source that one block of threads transposes. */
export const SM90_TRANSPOSE_TILE = { rows: 128, columns: 128 } as const

/** Cells of a grid of scales that one block of threads copies (`quantize/scale_copy.cuh`). */
export const SM90_SCALE_COPY = { inner: 64, outer: 32 } as const

/** Bytes of a vector that a thread moves at a time. */
const VECTOR = 16

/** The choices in the words of the kernel source: members of its config struct. */
export function sm90TransposeMembers(
  config: Sm90TransposeConfig,
): Record<string, number | boolean> {
  return {
    kAligned: config.aligned,
    kTileColumns: SM90_TRANSPOSE_TILE.columns,
    kTileRows: SM90_TRANSPOSE_TILE.rows,
  }
}

/** Every transposition that there is. */
export function sm90CoveringTransposes(): readonly Sm90TransposeConfig[] {
  return [true, false].map((aligned) => ({ target: 'sm_90a', aligned }) as const)
}

/** The transposition of `source` [.., R, C] into `out` [.., C, R]. */
export function sm90TransposeConfig(source: Tensor, out: Tensor): Sm90TransposeConfig {
  return { target: 'sm_90a', aligned: isAligned(source, 1) && isAligned(out, 1) }
}

/** Whether every row of a matrix, or of a group of them, begins and ends at whole vectors. */
export function isAligned(tensor: Tensor, elementBytes: number, vector: number = VECTOR): boolean {
  const columns = tensor.shape.at(-1) as number
  const outer = tensor.strides.slice(0, -1).filter((_, i) => (tensor.shape[i] as number) > 1)
  const bytes = [columns, ...outer].map((count) => count * elementBytes)
  return [tensor.byteOffset, ...bytes].every((count) => count % vector === 0)
}

/** Blocks of threads along the inner and the outer dimension of a grid of scales. */
export function sm90ScaleCopyBlocks(
  inner: number,
  outer: number,
): { inner: number; outer: number } {
  return {
    inner: Math.ceil(inner / SM90_SCALE_COPY.inner),
    outer: Math.ceil(outer / SM90_SCALE_COPY.outer),
  }
}
