import {
  DeviceError,
  denseProblem,
  type GemmForm,
  operandView,
  type Recipe,
  RecipeError,
  requireGemmRecipes,
  requireSameDevice,
  ShapeError,
  transposeRecipe,
} from '@deepgemm/core'
import { describe, expect, it } from 'vitest'
import { operand } from './support/operands.js'
import { expectRefusal } from './support/refusal.js'

const FORMS: GemmForm[] = ['NT', 'NN', 'TN', 'TT']
const [M, N, K] = [3, 5, 200]
const OPTIONS = { out: 'bf16', accumulate: false } as const

/** How `form` stores a matrix [rows, K] of the given recipe. */
function stored(transposed: boolean, rows: number, recipe: Recipe, k = K): [number[], Recipe] {
  return transposed ? [[k, rows], transposeRecipe(recipe)] : [[rows, k], recipe]
}

const storedA = (form: GemmForm, recipe: Recipe = '1x128'): [number[], Recipe] =>
  stored(form[0] === 'T', M, recipe)
const storedB = (form: GemmForm, recipe: Recipe, k = K): [number[], Recipe] =>
  stored(form[1] === 'N', N, recipe, k)

describe('a dense problem', () => {
  it.each(FORMS)('in form %s has the extents and recipes of its operands', (form) => {
    for (const recipeB of ['128x128', '1x128'] as const) {
      const [a, b] = [operand(...storedA(form)), operand(...storedB(form, recipeB))]
      expect(denseProblem(form, a, b, { out: 'f32', accumulate: true })).toEqual({
        layout: 'dense',
        groups: 1,
        m: M,
        n: N,
        k: K,
        recipeB,
        scaleDTypes: { a: 'f32', b: 'f32' },
        out: 'f32',
        accumulate: true,
      })
    }
  })

  it('tells the dtype of each operand’s scales', () => {
    const a = operand([M, K], '1x128', { scaleDType: 'ue8m0' })
    const { scaleDTypes } = denseProblem('NT', a, operand([N, K], '128x128'), OPTIONS)
    expect(scaleDTypes).toEqual({ a: 'ue8m0', b: 'f32' })
  })

  it('may be a batch, and may be empty', () => {
    const batch = denseProblem(
      'NT',
      operand([4, M, K], '1x128'),
      operand([4, N, K], '128x128'),
      OPTIONS,
    )
    expect(batch).toMatchObject({ groups: 4, m: M, n: N, k: K })
    const empty = denseProblem('NT', operand([0, K], '1x128'), operand([N, K], '128x128'), OPTIONS)
    expect(empty).toMatchObject({ groups: 1, m: 0 })
  })

  it.each([
    ['NT', 'A [3, 200] and B [5, 100]', 'A [M, K] and B [N, K]'],
    ['NN', 'A [3, 200] and B [100, 5]', 'A [M, K] and B [K, N]'],
    ['TN', 'A [200, 3] and B [100, 5]', 'A [K, M] and B [K, N]'],
    ['TT', 'A [200, 3] and B [5, 100]', 'A [K, M] and B [N, K]'],
  ] as const)('in form %s needs one K: not %s', (form, given, allowed) => {
    const [a, b] = [operand(...storedA(form)), operand(...storedB(form, '128x128', 100))]
    expectRefusal(() => denseProblem(form, a, b, OPTIONS), ShapeError, { given, allowed })
  })

  it.each(FORMS)('in form %s needs scales of A that run along K', (form) => {
    const b = operand(...storedB(form, '128x128'))
    for (const recipe of ['128x1', '128x128'] as const) {
      const [shape, own] = storedA(form, recipe)
      expectRefusal(() => denseProblem(form, operand(shape, own), b, OPTIONS), RecipeError, {
        given: own,
        allowed: form[0] === 'T' ? '128x1' : '1x128',
      })
    }
  })

  it.each(FORMS)('in form %s needs scales of B that run along K', (form) => {
    const a = operand(...storedA(form))
    const [shape, own] = storedB(form, '128x1')
    expectRefusal(() => denseProblem(form, a, operand(shape, own), OPTIONS), RecipeError, {
      given: own,
      allowed: form[1] === 'N' ? '128x128 or 128x1' : '128x128 or 1x128',
    })
  })

  it.each([
    [
      [2, M, K],
      [3, N, K],
    ],
    [
      [M, K],
      [1, N, K],
    ],
    [
      [1, M, K],
      [N, K],
    ],
  ])('needs batches of one size: not %j and %j', (shapeA, shapeB) => {
    const [a, b] = [operand(shapeA, '1x128'), operand(shapeB, '128x128')]
    expectRefusal(() => denseProblem('NT', a, b, OPTIONS), ShapeError, {
      given: `A [${shapeA.join(', ')}] and B [${shapeB.join(', ')}]`,
      allowed: 'the same leading dimension',
    })
  })

  it('needs operands on one device', () => {
    const [a, b] = [operand([M, K], '1x128'), operand([N, K], '128x128', { id: 'cuda:1' })]
    const detail = { given: 'cpu:0 and cuda:1', allowed: 'one device' }
    expectRefusal(() => requireSameDevice(a, b), DeviceError, detail)
    expectRefusal(() => denseProblem('NT', a, b, OPTIONS), DeviceError, detail)
  })
})

describe('the view of an operand', () => {
  it('is rows by K however it is stored', () => {
    const q = operand([2, 7, 300], '1x128')
    expect(operandView(q, false)).toEqual({ rows: 7, k: 300, recipe: '1x128' })
    expect(operandView(q, true)).toEqual({ rows: 300, k: 7, recipe: '128x1' })
    expect(operandView(operand([7, 300], '128x128'), true).recipe).toBe('128x128')
  })
})

describe('recipes of a product', () => {
  it('are accepted K-major', () => {
    for (const form of FORMS) {
      requireGemmRecipes(form, '1x128', '128x128')
      requireGemmRecipes(form, '1x128', '1x128')
    }
  })
})
