import { type Recipe, type ScaleDType, scaleGrid } from '@deepgemm/core'
import fc from 'fast-check'
import type { HostQuantized } from '../quantized.js'
import { createRandom, type ExponentRange, randomCodes, randomScales } from '../random.js'
import { type GemmShape, gemmShapes, type ShapeOptions } from './shapes.js'

/** What a random quantised matrix looks like. */
export type MatrixSpec = {
  readonly rows: number
  readonly cols: number
  readonly recipe: Recipe
  readonly scaleDType?: ScaleDType
  /** Allow e4m3 NaNs. */
  readonly nan?: boolean
  readonly exponents?: ExponentRange
}

/** Seeds: shrinking one makes nothing simpler. */
export function seeds(): fc.Arbitrary<number> {
  return fc.noShrink(fc.integer())
}

/** A matrix of uniform e4m3 codes and scales over a wide range of exponents. */
export function randomQuantized(seed: number, spec: MatrixSpec): HostQuantized {
  const { rows, cols, recipe, scaleDType = 'f32' } = spec
  const random = createRandom(seed)
  const [gridRows, gridCols] = scaleGrid(recipe, rows, cols)
  const exponents = spec.exponents === undefined ? {} : { exponents: spec.exponents }
  return {
    rows,
    cols,
    recipe,
    scaleDType,
    codes: randomCodes(random, rows * cols, { nan: spec.nan ?? false }),
    grid: randomScales(random, gridRows * gridCols, {
      powersOfTwo: scaleDType === 'ue8m0',
      ...exponents,
    }),
  }
}

/** A dense problem, complete but for the device. */
export type GemmCase = GemmShape & {
  /** [M, K], 1x128 */
  readonly a: HostQuantized
  /** [N, K] */
  readonly b: HostQuantized
  readonly out: 'bf16' | 'f32'
  readonly accumulate: boolean
  readonly seed: number
}

/** Random dense problems in NT form: A [M, K] and B [N, K]; `transposed` makes the others. */
export function gemmCases(options: ShapeOptions = {}): fc.Arbitrary<GemmCase> {
  const scaleDType = fc.constantFrom<ScaleDType>('f32', 'ue8m0')
  return fc
    .record({
      shape: gemmShapes(options),
      recipeB: fc.constantFrom<Recipe>('128x128', '1x128'),
      scaleDTypes: fc.tuple(scaleDType, scaleDType),
      out: fc.constantFrom<'bf16' | 'f32'>('bf16', 'f32'),
      accumulate: fc.boolean(),
      seed: seeds(),
    })
    .map(({ shape, recipeB, scaleDTypes: [ofA, ofB], ...rest }) => {
      const { m, n, k } = shape
      const a = randomQuantized(rest.seed, { rows: m, cols: k, recipe: '1x128', scaleDType: ofA })
      const b = randomQuantized(~rest.seed, { rows: n, cols: k, recipe: recipeB, scaleDType: ofB })
      return { ...shape, ...rest, a, b }
    })
}
