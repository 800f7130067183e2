import {
  blockOf,
  DTypeError,
  defaultOrientation,
  OptionError,
  RECIPES,
  type Recipe,
  RecipeError,
  requireRecipe,
  SCALE_DTYPES,
  SCALE_ORIENTATIONS,
  Scales,
  ShapeError,
  scaleGrid,
  scaleShape,
  transposeRecipe,
  transposeScales,
} from '@deepgemm/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { blank, counting } from './support/memory-storage.js'
import { expectRefusal } from './support/refusal.js'

describe('recipes', () => {
  it('lay a grid of blocks over a matrix, tails included', () => {
    expect(scaleGrid('1x128', 130, 129)).toEqual([130, 2])
    expect(scaleGrid('128x128', 130, 128)).toEqual([2, 1])
    expect(scaleGrid('128x1', 128, 129)).toEqual([1, 129])
    expect(RECIPES.map((recipe) => scaleGrid(recipe, 0, 0))).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ])
    expect(RECIPES.map(blockOf)).toEqual([
      { rows: 1, cols: 128 },
      { rows: 128, cols: 128 },
      { rows: 128, cols: 1 },
    ])
  })

  it('of a transposed matrix lay the transposed grid', () => {
    fc.assert(
      fc.property(fc.constantFrom(...RECIPES), fc.nat(600), fc.nat(600), (recipe, rows, cols) => {
        const grid = scaleGrid(transposeRecipe(recipe), cols, rows)
        expect(grid.reverse()).toEqual(scaleGrid(recipe, rows, cols))
        expect(transposeRecipe(transposeRecipe(recipe))).toBe(recipe)
      }),
    )
  })

  it('must be known and allowed', () => {
    expect(requireRecipe('A', '128x1')).toBe('128x1')
    expectRefusal(() => requireRecipe('A', '128x1', ['1x128', '128x128']), RecipeError, {
      given: '128x1',
      allowed: '1x128, 128x128',
    })
    expectRefusal(() => requireRecipe('A', '64x64' as Recipe), RecipeError, {
      given: '64x64',
      allowed: '1x128, 128x128, 128x1',
    })
  })
})

describe('the stored grid', () => {
  it('is row-major, or transposed with rows padded to four', () => {
    expect(scaleShape([5, 2], 'k-major')).toEqual([5, 2])
    expect(scaleShape([5, 2], 'mn-major')).toEqual([2, 8])
    expect(scaleShape([4, 1], 'mn-major')).toEqual([1, 4])
    expect(scaleShape([0, 2], 'mn-major')).toEqual([2, 0])
  })

  it('is by default what a GPU reads', () => {
    expect(RECIPES.map(defaultOrientation)).toEqual(['mn-major', 'k-major', 'k-major'])
  })
})

describe('scales', () => {
  const format = { recipe: '1x128', orientation: 'k-major' } as const

  it('tell their format', () => {
    const scales = new Scales(blank('ue8m0', [2, 3]), format)
    expect(scales).toMatchObject({ dtype: 'ue8m0', recipe: '1x128', orientation: 'k-major' })
    scales.dispose()
    expect(scales.tensor.storage.disposed).toBe(true)
  })

  it('tell how to step through the grid', () => {
    const kMajor = new Scales(blank('f32', [5, 2]), format)
    expect(kMajor.gridStrides).toEqual({ row: 2, col: 1, group: 0 })
    const mnMajor = new Scales(blank('f32', [3, 2, 8]), { ...format, orientation: 'mn-major' })
    expect(mnMajor.gridStrides).toEqual({ row: 1, col: 8, group: 16 })
  })

  it.each(['bf16', 'e4m3', 'f64'] as const)('are never %s', (dtype) => {
    expectRefusal(() => new Scales(blank(dtype, [1, 1]), format), DTypeError, {
      given: dtype,
      allowed: SCALE_DTYPES.join(', '),
    })
  })

  it.each([[[4]], [[]], [[1, 1, 1, 1]]])('are never of shape %j', (shape) => {
    expectRefusal(() => new Scales(blank('f32', shape), format), ShapeError, {
      given: `[${shape.join(', ')}]`,
      allowed: 'rank 2',
    })
  })

  it('have a known recipe and orientation', () => {
    const make = (change: object) => () =>
      new Scales(blank('f32', [1, 1]), { ...format, ...change })
    expectRefusal(make({ recipe: '2x2' }), RecipeError, { given: '2x2', allowed: '1x128' })
    expectRefusal(make({ orientation: 'row' }), OptionError, {
      given: 'row',
      allowed: SCALE_ORIENTATIONS.join(', '),
    })
  })

  it('fit matrices of their grid, and groups of them', () => {
    const mnMajor = { recipe: '1x128', orientation: 'mn-major' } as const
    new Scales(blank('f32', [2, 8]), mnMajor).requireFor('X', [5, 256])
    new Scales(blank('f32', [3, 2, 8]), mnMajor).requireFor('X', [3, 8, 200])
  })

  it.each([
    ['1x128', 'k-major', [5, 2], [5, 1], [5, 128]],
    ['1x128', 'mn-major', [2, 5], [2, 8], [5, 256]],
    ['128x128', 'k-major', [2, 2], [1, 2], [128, 256]],
    ['128x1', 'k-major', [2, 130], [2, 129], [130, 129]],
    ['1x128', 'k-major', [5, 2], [3, 5, 2], [3, 5, 256]],
    ['1x128', 'k-major', [3, 5, 2], [5, 2], [5, 256]],
  ] as const)(
    'of %s, %s and shape %j are refused where %j is needed',
    (recipe, orientation, shape, needed, matrix) => {
      const scales = new Scales(blank('f32', shape), { recipe, orientation })
      const check = (): void => scales.requireFor('Operand A', matrix)
      expectRefusal(check, ShapeError, {
        given: `[${shape.join(', ')}]`,
        allowed: `[${needed.join(', ')}]`,
      })
      expect(check).toThrow(
        `Operand A: the grid of ${recipe} scales (${orientation}) has the wrong shape`,
      )
    },
  )
})

describe('transposed scales', () => {
  it('are a view with rows and columns of the grid exchanged', async () => {
    const kMajor = new Scales(counting('f32', [3, 2]), { recipe: '1x128', orientation: 'k-major' })
    const turned = transposeScales(kMajor, [3, 256])
    expect(turned).toMatchObject({ recipe: '128x1', orientation: 'k-major' })
    expect([...(await turned.tensor.toFloat32Array())]).toEqual([0, 2, 4, 1, 3, 5])
    turned.requireFor('X', [256, 3])
  })

  it('drop the padding rows of a grid that is stored transposed', async () => {
    const mnMajor = new Scales(counting('f32', [2, 4]), {
      recipe: '1x128',
      orientation: 'mn-major',
    })
    const turned = transposeScales(mnMajor, [3, 256])
    expect([...(await turned.tensor.toFloat32Array())]).toEqual([0, 1, 2, 4, 5, 6])
    turned.requireFor('X', [256, 3])
    expect(turned.tensor.storage).toBe(mnMajor.tensor.storage)
  })

  it('keep every scale of every group in its place', async () => {
    const shapes = fc.record({ rows: fc.nat(300), cols: fc.nat(300), groups: fc.nat(2) })
    const formats = fc.tuple(fc.constantFrom(...RECIPES), fc.constantFrom(...SCALE_ORIENTATIONS))
    fc.assert(
      fc.property(shapes, formats, ({ rows, cols, groups }, [recipe, orientation]) => {
        const grid = scaleGrid(recipe, rows, cols)
        const tensor = blank('ue8m0', [groups, ...scaleShape(grid, orientation)])
        const scales = new Scales(tensor, { recipe, orientation })
        const turned = transposeScales(scales, [groups, rows, cols])
        turned.requireFor('X', [groups, cols, rows])
        const { row, col, group } = scales.gridStrides
        expect(turned.gridStrides).toEqual({ row: col, col: row, group })
      }),
    )
  })
})
