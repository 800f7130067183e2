// How far results are from what they should be, against float64.

import { decodeArray, type QuantizedTensor, type Tensor } from 'deepgemm'
import { dot, type ErrorSums, sampledPositions } from './error-sums.js'

/** Adds elements of rows of D = A · Bᵀ, sampled over its columns; all are matrices. */
export async function addSampledErrors(
  sums: ErrorSums,
  { a, b, out }: { a: QuantizedTensor; b: QuantizedTensor; out: Tensor },
  rows: readonly number[],
): Promise<void> {
  const columns = sampledPositions(out.shape[1] as number)
  const weights: Float64Array[] = []
  for (const column of columns) weights.push(await realRow(b, column))
  for (const row of rows) {
    const activations = await realRow(a, row)
    const got = await out.slice(0, row, row + 1).toFloat32Array()
    columns.forEach((column, i) => {
      sums.add(got[column] as number, dot(activations, weights[i] as Float64Array))
    })
  }
}

/** The real values of one row: value times scale, computed here and not by the library. */
async function realRow({ values, scales, recipe }: QuantizedTensor, row: number) {
  const codes = decodeArray('e4m3', await values.slice(0, row, row + 1).toBytes())
  const grid = await scales.tensor.toFloat32Array()
  const width = scales.tensor.shape.at(-1) as number
  const scaleRow = recipe === '1x128' ? row : Math.floor(row / 128)
  const isKMajor = scales.orientation === 'k-major'
  return Float64Array.from(codes, (code, column) => {
    const block = Math.floor(column / 128)
    return code * (grid[isKMajor ? scaleRow * width + block : block * width + scaleRow] as number)
  })
}
