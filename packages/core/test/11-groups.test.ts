import {
  CONTIGUOUS_ALIGNMENT,
  contiguousGroups,
  GroupError,
  kGroupedScaleColumns,
  MAX_GROUPS,
  OptionError,
  PADDING_ROW,
  packedOffsets,
  requireGroupSizes,
} from '@deepgemm/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expectRefusal } from './support/refusal.js'

const sizeLists = fc.array(fc.oneof(fc.constant(0), fc.nat(300)), { maxLength: 8 })

describe('contiguous groups', () => {
  it('start at multiples of the alignment, with padding rows between', () => {
    const { rows, starts, groupIndex } = contiguousGroups([2, 0, 5], 4)
    expect(rows).toBe(12)
    expect([...starts]).toEqual([0, 4, 4])
    expect([...groupIndex]).toEqual([0, 0, -1, -1, 2, 2, 2, 2, 2, -1, -1, -1])
  })

  it('hold each group once, in order, and nothing but padding besides', () => {
    fc.assert(
      fc.property(sizeLists, fc.constantFrom(1, 4, CONTIGUOUS_ALIGNMENT), (sizes, alignment) => {
        const { rows, starts, groupIndex } = contiguousGroups(sizes, alignment)
        expect(groupIndex.length).toBe(rows)
        expect(rows % alignment).toBe(0)
        sizes.forEach((size, group) => {
          const start = starts[group] as number
          expect(start % alignment).toBe(0)
          expect(groupIndex.filter((index) => index === group).length).toBe(size)
          if (size > 0) expect(groupIndex.indexOf(group)).toBe(start)
          if (size > 0) expect(groupIndex.lastIndexOf(group)).toBe(start + size - 1)
        })
        const used = sizes.reduce((sum, size) => sum + size, 0)
        expect(groupIndex.filter((index) => index === PADDING_ROW).length).toBe(rows - used)
      }),
    )
  })

  it('of no tokens have no rows', () => {
    expect(contiguousGroups([]).rows).toBe(0)
    expect(contiguousGroups([0, 0]).rows).toBe(0)
  })

  it.each([0, -1, 1.5, Number.NaN, 2048])('are never aligned to %d', (alignment) => {
    expectRefusal(() => contiguousGroups([1], alignment), OptionError, {
      given: String(alignment),
      allowed: 'an integer from 1 to 1024',
    })
  })
})

describe('packed groups', () => {
  it('lie back to back', () => {
    expect([...packedOffsets([2, 0, 5])]).toEqual([0, 2, 2, 7])
    expect([...packedOffsets([])]).toEqual([0])
  })

  it('have offsets that differ by their sizes', () => {
    fc.assert(
      fc.property(sizeLists, (sizes) => {
        const offsets = packedOffsets(sizes)
        expect([...offsets.subarray(1)].map((end, g) => end - (offsets[g] as number))).toEqual(
          sizes,
        )
      }),
    )
  })
})

describe('groups along K', () => {
  it('have scale blocks of their own', () => {
    expect(kGroupedScaleColumns([])).toBe(0)
    expect(kGroupedScaleColumns([128, 0, 1, 200])).toBe(1 + 0 + 1 + 2)
  })
})

describe('group sizes', () => {
  it.each([-1, 0.5, Number.NaN, 2 ** 53])('are never %d', (size) => {
    for (const use of [requireGroupSizes, contiguousGroups, packedOffsets, kGroupedScaleColumns]) {
      const detail = { given: String(size), allowed: 'a non-negative integer' }
      expectRefusal(() => use([1, size]), GroupError, detail)
      expect(() => use([1, size])).toThrow('Size of group 1')
    }
  })

  it('are so few and so small that int32 holds every row', () => {
    const allowed = `at most ${MAX_GROUPS} groups`
    expectRefusal(() => requireGroupSizes(new Array(MAX_GROUPS + 1).fill(0)), GroupError, {
      given: '65537 groups, 0 rows',
      allowed,
    })
    expectRefusal(() => packedOffsets([2 ** 30, 2 ** 30]), GroupError, {
      given: '2 groups, 2147483648 rows',
      allowed,
    })
    requireGroupSizes([2 ** 30, 2 ** 29])
  })
})
