import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { median, pairedRatio, quantile, rounded } from '../src/stats.js'

const seconds = fc.double({ min: 1e-6, max: 1e3, noNaN: true })

describe('a quantile', () => {
  it('is the least value that so many do not exceed', () => {
    const values = Array.from({ length: 100 }, (_, i) => 100 - i)
    expect(quantile(values, 0.99)).toBe(99)
    expect(quantile(values, 1)).toBe(100)
    expect(quantile(values, 0)).toBe(1)
    expect(quantile([7], 0.99)).toBe(7)
    expect(() => quantile([], 0.5)).toThrow(RangeError)
  })
})

describe('the median', () => {
  it('is the middle value, or the mean of the two in the middle', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(median([10, 9, 100])).toBe(10)
  })

  it('leaves as many values below as above, in any order', () => {
    fc.assert(
      fc.property(fc.array(seconds, { minLength: 1 }), (values) => {
        const middle = median(values)
        const below = values.filter((value) => value < middle).length
        const above = values.filter((value) => value > middle).length
        expect(Math.max(below, above)).toBeLessThanOrEqual(values.length / 2)
      }),
    )
  })

  it('does not exist for no values', () => {
    expect(() => median([])).toThrow(RangeError)
  })

  it('leaves the values as they were', () => {
    const values = [3, 1, 2]
    median(values)
    expect(values).toEqual([3, 1, 2])
  })
})

describe('the ratio of pairs', () => {
  it('is above 1 when ours took less time', () => {
    expect(pairedRatio([1, 1, 1], [2, 2, 2])).toBe(2)
  })

  it('does not see a machine that slows both down alike', () => {
    const slowdown = fc.array(seconds, { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(slowdown, seconds, (factors, ratio) => {
        const peer = factors.map((factor) => factor * ratio)
        expect(pairedRatio(factors, peer) / ratio).toBeCloseTo(1, 9)
      }),
    )
  })

  it('refuses samples that are no pairs', () => {
    expect(() => pairedRatio([1, 2], [1])).toThrow('2 samples cannot be paired with 1')
  })
})

describe('rounding', () => {
  it('keeps four significant digits', () => {
    expect([0.123456, 1234.56, 0].map(rounded)).toEqual([0.1235, 1235, 0])
  })
})
