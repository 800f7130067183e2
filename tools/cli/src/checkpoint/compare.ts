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
  /** The rows with the largest errors, by the same measure, the worst one first. */
  readonly worstRows: readonly RowError[]
  /** What errors of several layers are put together from. */
  readonly sums: ErrorSums
}

/** A row of a weight, counted over all matrices of a stack. */
type RowError = { readonly row: number; readonly error: number }

/** Σxy and Σ(x² + y²): add those of several tensors for the error of them all. */
export type ErrorSums = { readonly xy: number; readonly squares: number }

type Sums = { -readonly [K in keyof ErrorSums]: ErrorSums[K] }

/** Rows that are named of a layer. */
const MOST_ROWS = 5

export function errorOf({ xy, squares }: ErrorSums): number {
  return squares === 0 ? 0 : 1 - (2 * xy) / squares
}

/** Compares one tensor of two checkpoints; both have it, in the same shape. */
export async function compareTensor(
  checkpoint: Checkpoint,
  original: Checkpoint,
  name: string,
  signal: AbortSignal,
): Promise<LayerError> {
  const x = await FloatReader.open(checkpoint, name)
  const y = await FloatReader.open(original, name)
  const total: Sums = { xy: 0, squares: 0 }
  const worstRows: RowError[] = []
  for (const piece of rowPieces(y.entry)) {
    signal.throwIfAborted()
    const [a, b] = [await x.read(piece), await y.read(piece)]
    for (let r = 0; r < piece.rows; r++) {
      const row = rowSums(a, b, r * piece.columns, piece.columns)
      total.xy += row.xy
      total.squares += row.squares
      keepWorst(worstRows, { row: piece.flatRow + r, error: errorOf(row) })
    }
  }
  const { shape } = y.entry
  const formats = { format: x.format, original: y.format }
  return { name, shape, ...formats, error: errorOf(total), worstRows, sums: total }
}

/** Keeps the list sorted and short. A row with NaN is the worst there can be. */
function keepWorst(rows: RowError[], row: RowError): void {
  if (row.error === 0) return
  const at = rows.findIndex(({ error }) => !(row.error <= error) && !Number.isNaN(error))
  if (at >= 0) rows.splice(at, 0, row)
  else rows.push(row)
  if (rows.length > MOST_ROWS) rows.pop()
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
