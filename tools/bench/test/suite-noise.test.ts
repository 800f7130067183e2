import { medianInterval, ratioInterval, relativeNoise } from '@deepgemm/bench'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const times = fc.array(fc.double({ min: 1e-3, max: 1e6, noNaN: true }), {
  minLength: 1,
  maxLength: 60,
})

describe('the interval of a median', () => {
  it('lies between order statistics that are sure enough, whatever the distribution', () => {
    const ranks = (count: number) => medianInterval(Array.from({ length: count }, (_, i) => i + 1))
    expect(ranks(5)).toEqual({ middle: 3, low: 1, high: 5 })
    expect(ranks(6)).toEqual({ middle: 3.5, low: 1, high: 6 })
    expect(ranks(9)).toEqual({ middle: 5, low: 2, high: 8 }) // 96 %: tables of the sign test
    expect(ranks(20)).toEqual({ middle: 10.5, low: 6, high: 15 })
  })

  it('is all there is of a single sample', () => {
    expect(medianInterval([7])).toEqual({ middle: 7, low: 7, high: 7 })
  })

  it('holds the median, and depends on no order', () => {
    fc.assert(
      fc.property(times, (values) => {
        const { middle, low, high } = medianInterval(values)
        expect(low).toBeLessThanOrEqual(middle)
        expect(high).toBeGreaterThanOrEqual(middle)
        expect(medianInterval([...values].reverse())).toEqual({ middle, low, high })
      }),
    )
  })

  it('pairs the rounds: what slows both alike is no noise', () => {
    const ours = [1, 2, 3, 4, 5, 6, 7]
    const ratio = ratioInterval(
      ours,
      ours.map((us) => 2 * us),
    )
    expect(ratio).toEqual({ middle: 2, low: 2, high: 2 })
    expect(relativeNoise(ratio)).toBe(0)
  })
})
