import {
  createRandom,
  globalError,
  normalArray,
  referenceDequantize,
  referenceQuantize,
  seeds,
} from '@deepgemm/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

describe('reference cast', () => {
  it('makes the largest magnitude of a block 448', () => {
    const { codes, grid } = referenceQuantize(Float32Array.of(1, -3.5, 7, 0), [1, 4], '1x128')
    expect([...grid]).toEqual([7 / 448])
    expect([...codes]).toEqual([0x68, 0xf6, 0x7e, 0])
  })

  it('gives a block of zeros the scale 2^-63', () => {
    for (const scaleDType of ['f32', 'ue8m0'] as const) {
      const { codes, grid } = referenceQuantize(Float32Array.of(0, -0), [1, 2], '1x128', {
        scaleDType,
      })
      expect([...grid]).toEqual([2 ** -63])
      expect([...codes]).toEqual([0, 0x80])
    }
  })

  it('rounds ue8m0 scales up, and no further than needed', () => {
    const scaleOf = (amax: number): number | undefined =>
      referenceQuantize(Float32Array.of(amax), [1, 1], '1x128', { scaleDType: 'ue8m0' }).grid[0]
    expect(scaleOf(448)).toBe(1)
    expect(scaleOf(Math.fround(448 * (1 + 2 ** -23)))).toBe(2)
    expect(scaleOf(225)).toBe(1)
    expect(scaleOf(224)).toBe(0.5)
  })

  it('ignores NaN and infinities in the largest magnitude', () => {
    const words = Uint32Array.of(0x7fc00000, 0xffc00000, 0x3f800000, 0x7f800000, 0xff800000)
    const { codes, grid } = referenceQuantize(new Float32Array(words.buffer), [1, 5], '1x128')
    expect([...grid]).toEqual([Math.fround(1 / 448)])
    expect([...codes]).toEqual([0x7f, 0xff, 0x7e, 0x7e, 0xfe])
  })

  it.each([
    ['1x128', [129, 2], 258],
    ['128x128', [2, 2], 4],
    ['128x1', [2, 130], 260],
  ] as const)('lays %s blocks with tails on a grid', (recipe, [gridRows, gridCols], count) => {
    const [rows, cols] = [129, 130]
    const source = normalArray(createRandom(1), rows * cols)
    const { grid } = referenceQuantize(source, [rows, cols], recipe)
    expect(grid.length).toBe(count)
    const amax = Math.max(
      ...Array.from(source, Math.abs).filter((_, i) => {
        const [row, col] = [Math.floor(i / cols), i % cols]
        const inRow = recipe === '1x128' ? row === rows - 1 : row >= 128
        return inRow && (recipe === '128x1' ? col === cols - 1 : col >= 128)
      }),
    )
    expect(grid[gridRows * gridCols - 1]).toBe(Math.fround(amax / 448))
  })

  it('loses at most half a step of e4m3 per element', () => {
    fc.assert(
      fc.property(seeds(), fc.integer({ min: -60, max: 60 }), (seed, exponent) => {
        const source = normalArray(createRandom(seed), 256, 2 ** exponent)
        const quantized = referenceQuantize(source, [1, 256], '1x128')
        referenceDequantize(quantized).forEach((value, i) => {
          const x = source[i] as number
          const scale = quantized.grid[i >> 7] as number
          // A 16th relative, or half the smallest step; and a few roundings of f32.
          const step = Math.max(Math.abs(x) / 16, scale * 2 ** -10)
          expect(Math.abs(value - x)).toBeLessThanOrEqual(
            step * (1 + 2 ** -20) + Math.abs(x) * 2 ** -20,
          )
        })
      }),
      { numRuns: 50 },
    )
  })

  it('costs a normal matrix about what e4m3 costs', () => {
    const source = normalArray(createRandom(2), 64 * 512)
    const error = globalError(
      referenceDequantize(referenceQuantize(source, [64, 512], '1x128')),
      source,
    )
    expect(error).toBeGreaterThan(2e-4)
    expect(error).toBeLessThan(5e-4)
  })

  it('reproduces the values of what is already quantised', () => {
    const exact = { scaleDType: 'ue8m0' } as const
    const source = normalArray(createRandom(3), 384)
    const once = referenceDequantize(referenceQuantize(source, [1, 384], '1x128', exact))
    // The scale may halve, where the largest value had been rounded down to a power of two.
    expect(referenceDequantize(referenceQuantize(once, [1, 384], '1x128', exact))).toEqual(once)
  })
})
