import {
  divisor,
  SM90_FAMILIES,
  sm90Candidates,
  sm90Divisions,
  sm90Schedule,
} from '@deepgemm/core/sm90'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

/** As the kernels do it. */
function quotient(number: number, value: number): number {
  const { multiplier, shift } = divisor(value)
  return Number((BigInt(number) * BigInt(multiplier)) >> BigInt(shift))
}

describe('a divisor', () => {
  it('divides every number below 2^31', () => {
    const most = 2 ** 31 - 1
    fc.assert(
      fc.property(
        fc.oneof(fc.integer({ min: 1, max: most }), fc.integer({ min: 1, max: 5000 })),
        fc.integer({ min: 0, max: most }),
        (value, number) => {
          const multiple = number - (number % value)
          for (const at of [number, multiple, Math.max(0, multiple - 1), most]) {
            expect(quotient(at, value)).toBe(Math.floor(at / value))
          }
        },
      ),
      { numRuns: 3000 },
    )
  })

  it.each([1, 2, 3, 2 ** 30, 2 ** 30 + 1, 2 ** 31 - 1, 2 ** 31])('fits 32 bits for %i', (value) => {
    const { multiplier, shift } = divisor(value)
    expect(multiplier).toBeGreaterThanOrEqual(2 ** 31)
    expect(multiplier).toBeLessThan(2 ** 32)
    expect(shift).toBeLessThan(64)
  })
})

describe('the divisions of a schedule', () => {
  it('are by its bands and shares', () => {
    const [config] = sm90Candidates(SM90_FAMILIES[0] as (typeof SM90_FAMILIES)[0])
    const extents = { m: 4000, n: 2112, k: 7168 }
    const schedule = sm90Schedule(config as NonNullable<typeof config>, extents, 132, 'all')
    const { leftTiles, rightTiles, band, workers } = schedule
    const units = leftTiles * rightTiles * 56
    expect(sm90Divisions(schedule, extents.k)).toEqual({
      bandTiles: divisor(band * rightTiles),
      bandHeight: divisor(band),
      lastHeight: divisor(leftTiles % band === 0 ? band : leftTiles % band),
      kBlocks: divisor(56),
      share: Math.floor(units / workers),
      longerShares: units % workers,
    })
  })
})
