import type { OutDType, Recipe, ScaleDType, ScaleOrientation } from '@deepgemm/core'
import { extents, groupSizes, type HostQuantized, randomQuantized, seeds } from '@deepgemm/testing'
import fc from 'fast-check'

/** A problem whose groups are runs of rows, but for how they are laid out. */
export type RowsCase = {
  readonly sizes: readonly number[]
  readonly n: number
  readonly k: number
  readonly recipeB: Recipe
  readonly scaleDTypes: readonly [ScaleDType, ScaleDType]
  readonly orientations: readonly [ScaleOrientation, ScaleOrientation]
  readonly out: OutDType
  readonly accumulate: boolean
  readonly seed: number
}

const scaleDType = fc.constantFrom<ScaleDType>('f32', 'ue8m0')
const orientation = fc.constantFrom<ScaleOrientation>('k-major', 'mn-major')

/** What products can be on a device. */
export function limitsOf(kind: string): {
  readonly n: number
  readonly k: number
  readonly recipesB: readonly Recipe[]
  /** Random cases of a property. */
  readonly runs: number
  /** How the products of a block of K add up. */
  readonly accumulation: { readonly blockRoundoff?: number; readonly blockStep?: number }
} {
  if (kind !== 'cuda') {
    return { n: 1, k: 1, recipesB: ['128x128', '1x128'], runs: 200, accumulation: {} }
  }
  // Rows of 16 bytes; tensor cores keep about 14 bits of a partial sum, and add 32 columns at once.
  const accumulation = { blockRoundoff: 2 ** -13, blockStep: 32 }
  return { n: 8, k: 16, recipesB: ['128x128'], runs: 60, accumulation }
}

/** Sizes as routing makes them; N and K with tails of every kind; every format of scales. */
export function rowsCases(maxSize: number, kind: string): fc.Arbitrary<RowsCase> {
  const limits = limitsOf(kind)
  return fc.record({
    sizes: groupSizes({ maxGroups: 5, maxSize }),
    n: extents({ max: 70, multipleOf: limits.n }),
    k: extents({ max: 300, multipleOf: limits.k }),
    recipeB: fc.constantFrom<Recipe>(...limits.recipesB),
    scaleDTypes: fc.tuple(scaleDType, scaleDType),
    orientations: fc.tuple(orientation, orientation),
    out: fc.constantFrom<OutDType>('bf16', 'f32'),
    accumulate: fc.boolean(),
    seed: seeds(),
  })
}

/** A plain case with given sizes. */
export function plainCase(sizes: readonly number[], spec: Partial<RowsCase> = {}): RowsCase {
  return {
    sizes,
    n: 24,
    k: 144,
    recipeB: '128x128',
    scaleDTypes: ['f32', 'f32'],
    orientations: ['mn-major', 'k-major'],
    out: 'bf16',
    accumulate: false,
    seed: 1,
    ...spec,
  }
}

/** Activations [rows, K] of a case. */
export function activations(spec: RowsCase, rows: number, seed: number = spec.seed): HostQuantized {
  const scaleDType = spec.scaleDTypes[0]
  return randomQuantized(seed, { rows, cols: spec.k, recipe: '1x128', scaleDType })
}

/** Weights [N, K] of every group of a case. */
export function weights(spec: RowsCase): HostQuantized[] {
  const { n: rows, k: cols, recipeB: recipe } = spec
  const scaleDType = spec.scaleDTypes[1]
  return spec.sizes.map((_, group) =>
    randomQuantized(spec.seed + group + 1, { rows, cols, recipe, scaleDType }),
  )
}
