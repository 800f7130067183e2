import type { Checkpoint } from 'deepgemm'
import { FloatReader } from './floats.js'
import { rowPieces } from './rows.js'

/** How far one weight lies from its original. */
export type LayerError = {
  readonly name: string
  readonly shape: readonly number[]
  /** Format in the first checkpoint, with the scaling recipe. */
  readonly format: string
  /** Format in the second. */
  readonly original: string
  /** 1 − 2Σxy / Σ(x² + y²): 0 for equal weights, 3.5e-4 for e4m3 of normal data. */
  readonly error: number
  /** The row with the largest error, by the same measure. */
  readonly worstRow: { readonly row: number; readonly error: number }
}

/** Sums that the error is made of. */
type Sums = { xy: number; squares: number }

const errorOf = ({ xy, squares }: Sums): number => (squares === 0 ? 0 : 1 - (2 * xy) / squares)

/** Compares one tensor of two checkpoints; both have it, in the same shape. */
export async function compareTensor(
  checkpoint: Checkpoint,
  original: Checkpoint,
  name: string,
): Promise<LayerError> {
  const x = await FloatReader.open(checkpoint, name)
  const y = await FloatReader.open(original, name)
  const total: Sums = { xy: 0, squares: 0 }
  let worstRow = { row: 0, error: 0 }
  for (const piece of rowPieces(y.entry)) {
    const [a, b] = [await x.read(piece), await y.read(piece)]
    for (let r = 0; r < piece.rows; r++) {
      const row = rowSums(a, b, r * piece.columns, piece.columns)
      total.xy += row.xy
      total.squares += row.squares
      const error = errorOf(row)
      // A row with NaN is the worst there can be.
      if (!(error <= worstRow.error)) worstRow = { row: piece.flatRow + r, error }
    }
  }
  const { shape } = y.entry
  return { name, shape, format: x.format, original: y.format, error: errorOf(total), worstRow }
}

function rowSums(x: Float32Array, y: Float32Array, from: number, count: number): Sums {
  let xy = 0
  let squares = 0
  for (let i = from; i < from + count; i++) {
    const [a, b] = [x[i] as number, y[i] as number]
    xy += a * b
    squares += a * a + b * b
  }
  return { xy, squares }
}
