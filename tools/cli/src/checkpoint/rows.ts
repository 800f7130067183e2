import type { Checkpoint, CheckpointEntry } from 'deepgemm'

/** Rows of a quantisation block: pieces are multiples of it, so that no block is cut. */
const BLOCK = 128

/** Bytes of a tensor that are in memory at a time, about. */
const PIECE_BYTES = 32 << 20

/** A run of rows of a weight, seen as [rows, columns] of matrix `group`. */
export type RowPiece = {
  readonly group: number
  /** First row within the matrix. */
  readonly row: number
  readonly rows: number
  readonly columns: number
  /** First row counted over all matrices of the tensor. */
  readonly flatRow: number
}

/** A tensor seen as matrices: vectors are one row, further leading dimensions are groups. */
export type MatrixShape = {
  readonly groups: number
  readonly rows: number
  readonly columns: number
}

export function matrixShape(shape: readonly number[]): MatrixShape {
  return {
    groups: shape.slice(0, -2).reduce((product, extent) => product * extent, 1),
    rows: shape.at(-2) ?? 1,
    columns: shape.at(-1) ?? 1,
  }
}

/** The pieces of a tensor, in order; blocks of 128 rows stay whole. */
export function* rowPieces({ shape, byteLength }: CheckpointEntry): Generator<RowPiece> {
  const { groups, rows, columns } = matrixShape(shape)
  const rowBytes = byteLength / (groups * rows)
  const step = Math.max(Math.floor(PIECE_BYTES / rowBytes / BLOCK), 1) * BLOCK
  for (let group = 0; group < groups; group++) {
    for (let row = 0; row < rows; row += step) {
      const count = Math.min(step, rows - row)
      yield { group, row, rows: count, columns, flatRow: group * rows + row }
    }
  }
}

/** The bytes of one piece. */
export function readPiece(
  checkpoint: Checkpoint,
  { name, shape, byteLength }: CheckpointEntry,
  piece: RowPiece,
): Promise<Uint8Array> {
  const { groups, rows } = matrixShape(shape)
  const rowBytes = byteLength / (groups * rows)
  return checkpoint.read(name, {
    byteOffset: piece.flatRow * rowBytes,
    byteLength: piece.rows * rowBytes,
  })
}
