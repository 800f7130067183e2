import {
  type Recipe,
  roundUp,
  type ScaleDType,
  type ScaleOrientation,
  scaleGrid,
} from '@deepgemm/core'
import { ceilUe8m0, UE8M0_VALUES } from './formats.js'

/** A quantised matrix on the host: e4m3 codes [rows, cols] and its row-major grid of scales. */
export type HostQuantized = {
  readonly rows: number
  readonly cols: number
  readonly codes: Uint8Array
  readonly recipe: Recipe
  readonly scaleDType: ScaleDType
  /** Values of the scales, `scaleGrid(recipe, rows, cols)`. */
  readonly grid: Float32Array
}

/** An operand as the oracle reads it: codes [rows, k], and a scale for each row and block of K. */
export type Operand = {
  readonly rows: number
  readonly k: number
  readonly codes: Uint8Array
  readonly scale: (row: number, kBlock: number) => number
}

/** The matrix transposed, recipe included: real values stay what they were. */
export function transposed(matrix: HostQuantized): HostQuantized {
  const [gridRows, gridCols] = scaleGrid(matrix.recipe, matrix.rows, matrix.cols)
  const recipes: Record<Recipe, Recipe> = {
    '1x128': '128x1',
    '128x1': '1x128',
    '128x128': '128x128',
  }
  return {
    rows: matrix.cols,
    cols: matrix.rows,
    codes: Uint8Array.from(matrix.codes, (_, i) => {
      const [row, col] = [Math.floor(i / matrix.rows), i % matrix.rows]
      return matrix.codes[col * matrix.cols + row] as number
    }),
    recipe: recipes[matrix.recipe],
    scaleDType: matrix.scaleDType,
    grid: Float32Array.from(matrix.grid, (_, i) => {
      const [row, col] = [Math.floor(i / gridRows), i % gridRows]
      return matrix.grid[col * gridCols + row] as number
    }),
  }
}

/** A [rows, K] matrix as an operand; recipes whose blocks do not run along K are refused. */
export function operandOf(matrix: HostQuantized): Operand {
  const { rows, cols: k, codes, recipe, grid } = matrix
  if (recipe === '128x1') throw new Error('An operand needs blocks along K; use transposed() first')
  const gridCols = Math.ceil(k / 128)
  const rowsPerBlock = recipe === '1x128' ? 1 : 128
  return {
    rows,
    k,
    codes,
    scale: (row, kBlock) => grid[Math.floor(row / rowsPerBlock) * gridCols + kBlock] as number,
  }
}

/** Rows `from` to `to` (exclusive) of an operand. */
export function sliceRows(operand: Operand, from: number, to: number): Operand {
  return {
    rows: to - from,
    k: operand.k,
    codes: operand.codes.subarray(from * operand.k, to * operand.k),
    scale: (row, kBlock) => operand.scale(from + row, kBlock),
  }
}

/**
 * The groups of a k-grouped operand: codes [rows, ΣK] back to back along K, and a row-major grid
 * of scales [rows, Σ⌈K/128⌉] whose 128-blocks start anew with every group.
 */
export function kGroupOperands(
  rows: number,
  sizes: readonly number[],
  codes: Uint8Array,
  grid: ArrayLike<number>,
): Operand[] {
  const totalK = sizes.reduce((sum, size) => sum + size, 0)
  const totalBlocks = sizes.reduce((sum, size) => sum + Math.ceil(size / 128), 0)
  let [fromK, fromBlock] = [0, 0]
  return sizes.map((k) => {
    const [firstK, firstBlock] = [fromK, fromBlock]
    fromK += k
    fromBlock += Math.ceil(k / 128)
    const own = new Uint8Array(rows * k)
    for (let row = 0; row < rows; row++) {
      const start = row * totalK + firstK
      own.set(codes.subarray(start, start + k), row * k)
    }
    const scale = (row: number, kBlock: number): number =>
      grid[row * totalBlocks + firstBlock + kBlock] as number
    return { rows, k, codes: own, scale }
  })
}

/** Stored bytes of a scale grid in an orientation; padding rows are zero. */
export function scaleBytes(
  matrix: HostQuantized,
  orientation: ScaleOrientation,
): Uint8Array<ArrayBuffer> {
  const [rows, cols] = scaleGrid(matrix.recipe, matrix.rows, matrix.cols)
  const mnMajor = orientation === 'mn-major'
  const stride = mnMajor ? roundUp(rows, 4) : cols
  const count = (mnMajor ? cols : rows) * stride
  const cells = matrix.scaleDType === 'f32' ? new Float32Array(count) : new Uint8Array(count)
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const value = matrix.grid[row * cols + col] as number
      cells[mnMajor ? col * stride + row : row * stride + col] =
        matrix.scaleDType === 'f32' ? value : ceilUe8m0(value)
    }
  }
  return new Uint8Array(cells.buffer)
}

/** The row-major grid of `rows` × `cols` scales that `bytes` store: the inverse of `scaleBytes`. */
export function gridFromBytes(
  bytes: Uint8Array,
  [rows, cols]: readonly [number, number],
  dtype: ScaleDType,
  orientation: ScaleOrientation,
): Float32Array<ArrayBuffer> {
  const mnMajor = orientation === 'mn-major'
  const stride = mnMajor ? roundUp(rows, 4) : cols
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const grid = new Float32Array(rows * cols)
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const cell = mnMajor ? col * stride + row : row * stride + col
      grid[row * cols + col] =
        dtype === 'f32'
          ? view.getFloat32(cell * 4, true)
          : (UE8M0_VALUES[view.getUint8(cell)] as number)
    }
  }
  return grid
}
