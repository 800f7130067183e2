import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RangeSet } from '../src/range-set.js'
import { runs } from './helpers.js'

test('claimed ranges behave like a set of bytes', () => {
  const ranges = fc.array(fc.tuple(fc.nat(20), fc.nat(6)), { maxLength: 20 })
  fc.assert(
    fc.property(ranges, (claims) => {
      const set = new RangeSet()
      const taken = new Set<number>()
      for (const [begin, length] of claims) {
        const bytes = Array.from({ length }, (_, i) => begin + i)
        const free = bytes.every((byte) => !taken.has(byte))
        expect(set.claim(begin, begin + length)).toBe(free)
        if (free) for (const byte of bytes) taken.add(byte)
      }
      expect(set.total).toBe(taken.size)
      let first = 0
      while (taken.has(first)) first++
      expect(set.firstFree).toBe(first)
    }),
    runs(2000),
  )
})
