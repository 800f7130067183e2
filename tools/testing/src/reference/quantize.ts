import { type Recipe, type ScaleDType, scaleGrid } from '@deepgemm/core'
import { ceilUe8m0, E4M3_VALUES, nearestE4m3, UE8M0_VALUES } from '../formats.js'
import type { HostQuantized } from '../quantized.js'

const E4M3_LARGEST = 448
/** A block's amax counts as at least this; its scale is then 2^-63. */
const AMAX_FLOOR = 448 * 2 ** -63

type Block = { scale: number; inverse: number }

/**
 * Quantises bit for bit as the casts document it: every step one f32 operation, rounded by
 * `Math.fround`.
 */
export function referenceQuantize(
  source: Float32Array,
  [rows, cols]: readonly [number, number],
  recipe: Recipe,
  { scaleDType = 'f32' }: { readonly scaleDType?: ScaleDType } = {},
): HostQuantized {
  const [gridRows, gridCols] = scaleGrid(recipe, rows, cols)
  const largest = new Float64Array(gridRows * gridCols)
  const cell = cellOf(recipe, gridCols)
  for (let i = 0; i < source.length; i++) {
    const magnitude = Math.abs(source[i] as number)
    const at = cell(Math.floor(i / cols), i % cols)
    if (Number.isFinite(magnitude) && magnitude > (largest[at] as number)) largest[at] = magnitude
  }
  const blocks = Array.from(largest, (amax) => blockScale(amax, scaleDType))
  const words = new Uint32Array(source.buffer, source.byteOffset, source.length)
  const codes = Uint8Array.from(source, (value, i) => {
    const { inverse } = blocks[cell(Math.floor(i / cols), i % cols)] as Block
    const nanSign = Number.isNaN(value) && (words[i] as number) >>> 31 === 1 ? 128 : 0
    return nearestE4m3(Math.fround(value * inverse)) + nanSign
  })
  const grid = Float32Array.from(blocks, ({ scale }) => scale)
  return { rows, cols, codes, recipe, scaleDType, grid }
}

function blockScale(amax: number, scaleDType: ScaleDType): Block {
  const bound = Math.max(amax, AMAX_FLOOR)
  if (scaleDType === 'f32') {
    return { scale: Math.fround(bound / E4M3_LARGEST), inverse: Math.fround(E4M3_LARGEST / bound) }
  }
  // Exact although the quotient is rounded: bound has 24 bits, so that it is 448 times a power of
  // two or differs from it by more than float64's rounding.
  const scale = UE8M0_VALUES[ceilUe8m0(bound / E4M3_LARGEST)] as number
  return { scale, inverse: 1 / scale }
}

/** Index of the scale of element (row, col) in a row-major grid. */
function cellOf(recipe: Recipe, gridCols: number): (row: number, col: number) => number {
  const [height, width] = { '1x128': [1, 128], '128x128': [128, 128], '128x1': [128, 1] }[
    recipe
  ] as [number, number]
  return (row, col) => Math.floor(row / height) * gridCols + Math.floor(col / width)
}

/** Real values [rows, cols] as f32: one multiplication of code value and scale, rounded once. */
export function referenceDequantize(matrix: HostQuantized): Float32Array<ArrayBuffer> {
  const gridCols = scaleGrid(matrix.recipe, matrix.rows, matrix.cols)[1]
  const cell = cellOf(matrix.recipe, gridCols)
  return Float32Array.from(matrix.codes, (code, i) => {
    const scale = matrix.grid[cell(Math.floor(i / matrix.cols), i % matrix.cols)] as number
    return (E4M3_VALUES[code] as number) * scale
  })
}
