import {
  ceilDiv,
  configName,
  elementCount,
  MAX_RANK,
  requireSameShape,
  requireShape,
  roundUp,
  rowMajorStrides,
  ShapeError,
  showShape,
} from '@deepgemm/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expectRefusal } from './support/refusal.js'

describe('shapes', () => {
  it('have a size and row-major strides', () => {
    expect([elementCount([]), elementCount([2, 3, 4]), elementCount([5, 0])]).toEqual([1, 24, 0])
    expect([rowMajorStrides([]), rowMajorStrides([2, 3, 4])]).toEqual([[], [12, 4, 1]])
    expect(showShape([2, 3])).toBe('[2, 3]')
  })

  it.each([
    [[-1], '[-1]'],
    [[1.5], '[1.5]'],
    [[Number.NaN], '[NaN]'],
    [[2 ** 53], '[9007199254740992]'],
    [[2 ** 30, 2 ** 30], '[1073741824, 1073741824]'],
    [new Array(MAX_RANK + 1).fill(1), '[1, 1,'],
    ['2,3', 'string'],
    [undefined, 'undefined'],
  ])('refuse %j', (shape, given) => {
    expectRefusal(() => requireShape('X', shape), ShapeError, { given, allowed: 'below 2^53' })
  })

  it('may be empty or have empty extents', () => {
    for (const shape of [[], [0], [2 ** 30, 0, 2 ** 30]])
      expect(requireShape('X', shape)).toBe(shape)
  })

  it('must be the expected ones', () => {
    requireSameShape('X', [2, 3], [2, 3])
    for (const shape of [[2], [2, 3, 1], [3, 2]]) {
      expectRefusal(() => requireSameShape('X', shape, [2, 3]), ShapeError, {
        given: showShape(shape),
        allowed: '[2, 3]',
      })
    }
  })

  it('round up to the least multiple that is large enough', () => {
    const number = fc.integer({ min: 0, max: 2 ** 40 })
    fc.assert(
      fc.property(number, fc.integer({ min: 1, max: 4096 }), (a, multiple) => {
        const rounded = roundUp(a, multiple)
        expect(rounded % multiple).toBe(0)
        expect(rounded - a).toBeGreaterThanOrEqual(0)
        expect(rounded - a).toBeLessThan(multiple)
        expect(ceilDiv(a, multiple)).toBe(rounded / multiple)
      }),
    )
  })
})

describe('configs', () => {
  it('have a short stable name', () => {
    expect(configName({ target: 'cpu', isa: 'avx2', threads: 8 })).toBe('cpu/avx2/8')
  })
})
