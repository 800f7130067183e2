import {
  expertIndices,
  extents,
  type GemmCase,
  gemmCases,
  gemmShapes,
  groupSizes,
  MODEL_SHAPES,
} from '@deepgemm/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const draw = <T>(arbitrary: fc.Arbitrary<T>, count = 400): T[] =>
  fc.sample(arbitrary, { numRuns: count, seed: 1 })

describe('random extents', () => {
  it('stay within bounds and stand often at edges', () => {
    const drawn = draw(extents({ max: 300 }))
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(1)
    expect(Math.max(...drawn)).toBeLessThanOrEqual(300)
    for (const edge of [1, 127, 128, 129, 256]) expect(drawn).toContain(edge)
  })

  it('are multiples where that is asked for', () => {
    expect(draw(extents({ max: 200, multipleOf: 16 })).every((x) => x % 16 === 0 && x > 0)).toBe(
      true,
    )
    expect(new Set(draw(extents({ min: 600, max: 603 })))).toEqual(new Set([600, 601, 602, 603]))
  })
})

describe('random shapes', () => {
  it('have tails of every kind, and no rows now and then', () => {
    const shapes = draw(gemmShapes())
    expect(shapes.some(({ m }) => m === 0)).toBe(true)
    expect(shapes.some(({ m }) => m === 1)).toBe(true)
    for (const key of ['m', 'n', 'k'] as const) {
      expect(shapes.some((shape) => shape[key] % 128 === 0 && shape[key] > 0)).toBe(true)
      expect(shapes.some((shape) => shape[key] % 16 !== 0)).toBe(true)
    }
  })
})

describe('random group sizes', () => {
  it('have empty groups, one group with all rows, and none at all', () => {
    const lists = draw(groupSizes({ maxGroups: 5 }))
    const busy = (sizes: number[]): number => sizes.filter((size) => size > 0).length
    expect(lists.some((sizes) => sizes.length > 1 && busy(sizes) === 0)).toBe(true)
    expect(lists.some((sizes) => sizes.length > 1 && busy(sizes) === 1)).toBe(true)
    expect(lists.some((sizes) => sizes.length > 2 && busy(sizes) > 1 && sizes.includes(0))).toBe(
      true,
    )
    expect(lists.every((sizes) => sizes.length >= 1 && sizes.length <= 5)).toBe(true)
  })
})

describe('random expert indices', () => {
  it('name different experts for each token', () => {
    const indices = expertIndices(1, { tokens: 50, topK: 3, experts: 7 })
    for (let token = 0; token < 50; token++) {
      const own = indices.subarray(token * 3, token * 3 + 3)
      expect(new Set(own).size).toBe(3)
      expect(own.every((expert) => expert >= 0 && expert < 7)).toBe(true)
    }
  })

  it('cannot name more experts than there are', () => {
    expect(() => expertIndices(1, { tokens: 1, topK: 3, experts: 2 })).toThrow('3 distinct')
  })
})

describe('random problems', () => {
  it('have codes and scales of their shape, in every combination', () => {
    const cases = draw(gemmCases({ maxM: 20, maxN: 20 }), 100)
    for (const { m, n, k, a, b } of cases) {
      expect([a.rows, a.cols, b.rows, b.cols]).toEqual([m, k, n, k])
      expect(a.codes.length).toBe(m * k)
      expect(a.grid.length).toBe(m * Math.ceil(k / 128))
    }
    const kinds = new Set(
      cases.map(({ a, b, out, accumulate }: GemmCase) =>
        [a.scaleDType, b.scaleDType, b.recipe, out, accumulate].join(),
      ),
    )
    expect(kinds.size).toBeGreaterThan(24)
  })
})

describe('model shapes', () => {
  it('are what a GPU kernel can take', () => {
    for (const { layers, topK } of Object.values(MODEL_SHAPES)) {
      expect(layers.every(({ n, k }) => n % 8 === 0 && k % 16 === 0)).toBe(true)
      expect(layers.some(({ experts }) => experts > topK)).toBe(true)
    }
  })
})
