import { transposeRecipe } from './problem.js'
import { scaleGrid } from './recipe.js'
import { Scales } from './scales.js'

/**
 * The scales of the transposed matrix, as a view of the same memory.
 *
 * `shape` is that of the matrix the scales belong to now, [R, C] or [G, R, C].
 */
export function transposeScales(scales: Scales, shape: readonly number[]): Scales {
  const [rows, cols] = [shape.at(-2) as number, shape.at(-1) as number]
  const [gridRows] = scaleGrid(scales.recipe, rows, cols)
  const recipe = transposeRecipe(scales.recipe)
  const { tensor } = scales
  const transposed =
    scales.orientation === 'k-major'
      ? tensor.transpose()
      : // Stored transposed already; only the padding rows have to go.
        tensor.slice(tensor.shape.length - 1, 0, gridRows)
  return new Scales(transposed, { recipe, orientation: 'k-major' })
}
