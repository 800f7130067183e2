import { createRandom, normalArray, randomCodes, randomScales } from '@deepgemm/testing'
import { describe, expect, it } from 'vitest'

describe('random numbers', () => {
  it('repeat for a seed and differ between neighbouring seeds', () => {
    const draw = (seed: number): number[] => {
      const random = createRandom(seed)
      return Array.from({ length: 4 }, () => random.bits())
    }
    expect(draw(7)).toEqual(draw(7))
    expect(draw(7)).not.toEqual(draw(8))
  })

  it('fill [0, 1) evenly and keep integers within bounds', () => {
    const random = createRandom(1)
    const counts = new Array<number>(10).fill(0)
    for (let i = 0; i < 10_000; i++) {
      const bucket = Math.floor(random.uniform() * 10)
      counts[bucket] = (counts[bucket] as number) + 1
    }
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150)
    const integers = new Set(Array.from({ length: 200 }, () => random.integer(-1, 2)))
    expect([...integers].sort((a, b) => a - b)).toEqual([-1, 0, 1, 2])
  })

  it('have the moments of a normal distribution', () => {
    const values = normalArray(createRandom(3), 20_000, 2)
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length
    const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length
    expect(Math.abs(mean)).toBeLessThan(0.05)
    expect(Math.abs(variance - 4)).toBeLessThan(0.15)
  })

  it('cover every e4m3 code, and NaN only when asked', () => {
    const finite = new Set(randomCodes(createRandom(5), 20_000))
    expect(finite.size).toBe(254)
    expect(finite.has(0x7f) || finite.has(0xff)).toBe(false)
    expect(new Set(randomCodes(createRandom(5), 20_000, { nan: true })).size).toBe(256)
  })

  it('spread scales over the whole range of exponents', () => {
    const scales = randomScales(createRandom(9), 2000, { exponents: { min: -3, max: 3 } })
    expect(Math.min(...scales)).toBeLessThan(0.25)
    expect(Math.max(...scales)).toBeGreaterThan(8)
    const powers = randomScales(createRandom(9), 100, { powersOfTwo: true })
    expect(powers.every((x) => Number.isInteger(Math.log2(x)))).toBe(true)
  })
})
