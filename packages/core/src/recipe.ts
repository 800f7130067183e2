import { RecipeError } from './errors.js'
import { ceilDiv, roundUp, type Shape } from './shape.js'

/**
 * Which elements of a matrix share a scale, as rows × columns.
 * `1x128`: per token (activations). `128x128`: per block (weights). `128x1`: 1x128 along M, for
 * operands that are transposed before the product (gradients).
 */
export type Recipe = '1x128' | '128x128' | '128x1'

/** f32, or powers of two only. */
export type ScaleDType = 'f32' | 'ue8m0'

/**
 * How the scale grid is stored. `k-major`: row-major. `mn-major`: transposed, with the rows padded
 * to a multiple of 4, so that the scales of a tile of rows are one TMA row.
 */
export type ScaleOrientation = 'k-major' | 'mn-major'

/** Elements along one side of a scale block. */
export const BLOCK = 128

export const RECIPES: readonly Recipe[] = ['1x128', '128x128', '128x1']
export const SCALE_DTYPES: readonly ScaleDType[] = ['f32', 'ue8m0']
export const SCALE_ORIENTATIONS: readonly ScaleOrientation[] = ['k-major', 'mn-major']

/** Rows and columns of one block. */
export function blockOf(recipe: Recipe): { rows: number; cols: number } {
  return {
    rows: recipe === '1x128' ? 1 : BLOCK,
    cols: recipe === '128x1' ? 1 : BLOCK,
  }
}

/** Rows and columns of the scale grid of a `rows` × `cols` matrix. */
export function scaleGrid(recipe: Recipe, rows: number, cols: number): [number, number] {
  const block = blockOf(recipe)
  return [ceilDiv(rows, block.rows), ceilDiv(cols, block.cols)]
}

/** Shape of the stored scale tensor for a grid; `mn-major` pads grid rows to a multiple of 4. */
export function scaleShape(grid: readonly [number, number], orientation: ScaleOrientation): Shape {
  return orientation === 'k-major' ? grid : [grid[1], roundUp(grid[0], 4)]
}

/** The orientation `quantize` writes unless told otherwise: what the GPU's TMA reads. */
export function defaultOrientation(recipe: Recipe): ScaleOrientation {
  return recipe === '1x128' ? 'mn-major' : 'k-major'
}

/** @throws {RecipeError} when `recipe` is not one of `allowed`. */
export function requireRecipe(
  subject: string,
  recipe: Recipe,
  allowed: readonly Recipe[] = RECIPES,
): Recipe {
  if (allowed.includes(recipe)) return recipe
  throw new RecipeError(`${subject} has the wrong scaling recipe`, {
    given: String(recipe),
    allowed: allowed.join(', '),
    remedy: 'Quantise it with an allowed recipe.',
  })
}
