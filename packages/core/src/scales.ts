import { requireDType } from './dtype.js'
import { OptionError, ShapeError } from './errors.js'
import {
  type Recipe,
  requireRecipe,
  SCALE_DTYPES,
  SCALE_ORIENTATIONS,
  type ScaleDType,
  type ScaleOrientation,
  scaleGrid,
  scaleShape,
} from './recipe.js'
import { requireSameShape, showShape } from './shape.js'
import type { Tensor } from './tensor.js'

/** Strides, in elements of the scale tensor, of one step in the scale grid. */
export type GridStrides = { readonly row: number; readonly col: number; readonly group: number }

/**
 * The scales of one quantised matrix, or of a group of them, with their format.
 *
 * A scale always multiplies: real value = stored value × scale. `tensor` has shape
 * `scaleShape(scaleGrid(recipe, R, C), orientation)`, with a leading group dimension for rank 3.
 */
export class Scales {
  readonly tensor: Tensor<ScaleDType>
  readonly recipe: Recipe
  readonly orientation: ScaleOrientation

  /** @throws {DTypeError | ShapeError | RecipeError | OptionError} */
  constructor(tensor: Tensor, format: { recipe: Recipe; orientation: ScaleOrientation }) {
    requireDType('The scale tensor', tensor.dtype, SCALE_DTYPES)
    if (tensor.shape.length !== 2 && tensor.shape.length !== 3) {
      throw new ShapeError('A scale tensor has the wrong rank', {
        given: showShape(tensor.shape),
        allowed: 'a grid of rank 2, or rank 3 with leading groups',
      })
    }
    this.tensor = tensor as Tensor<ScaleDType>
    this.recipe = requireRecipe('The scale tensor', format.recipe)
    this.orientation = requireOrientation(format.orientation)
  }

  get dtype(): ScaleDType {
    return this.tensor.dtype
  }

  get gridStrides(): GridStrides {
    const strides = this.tensor.strides
    const [outer, inner] = [strides.at(-2) as number, strides.at(-1) as number]
    const group = strides.length === 3 ? (strides[0] as number) : 0
    return this.orientation === 'k-major'
      ? { row: outer, col: inner, group }
      : { row: inner, col: outer, group }
  }

  /** @throws {ShapeError} unless these are the scales of a matrix of `shape` ([R, C] or [G, R, C]). */
  requireFor(subject: string, shape: readonly number[]): void {
    const [rows, cols] = [shape.at(-2) as number, shape.at(-1) as number]
    const grid = scaleShape(scaleGrid(this.recipe, rows, cols), this.orientation)
    const lead = shape.length === 3 ? [shape[0] as number] : []
    requireSameShape(
      `${subject}: the grid of ${this.recipe} scales (${this.orientation})`,
      this.tensor.shape,
      [...lead, ...grid],
    )
  }

  dispose(): void {
    this.tensor.dispose()
  }
}

function requireOrientation(orientation: ScaleOrientation): ScaleOrientation {
  if (SCALE_ORIENTATIONS.includes(orientation)) return orientation
  throw new OptionError('Unknown scale orientation', {
    given: String(orientation),
    allowed: SCALE_ORIENTATIONS.join(', '),
  })
}
