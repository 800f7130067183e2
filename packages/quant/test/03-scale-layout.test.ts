import { RECIPES, RecipeError, SCALE_DTYPES, SCALE_ORIENTATIONS } from '@deepgemm/core'
import { dequantize, quantize, relayoutScales } from '@deepgemm/quant'
import { Device } from '@deepgemm/runtime'
import {
  availableDevices,
  expectRefusal,
  extents,
  randomQuantized,
  scaleBytes,
  seeds,
  upload,
} from '@deepgemm/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

describe.each(await availableDevices(Device))('relayoutScales on $kind', ({ open }) => {
  let device: Device

  beforeAll(async () => {
    device = await open()
  })

  afterAll(async () => {
    await device.dispose()
  })

  it('writes the same scales in any orientation, and powers of two in any format', async () => {
    const cases = fc.record({
      rows: extents({ max: 300 }),
      cols: extents({ max: 300 }),
      groups: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
      recipe: fc.constantFrom(...RECIPES),
      scaleDType: fc.constantFrom(...SCALE_DTYPES),
      from: fc.constantFrom(...SCALE_ORIENTATIONS),
      orientation: fc.constantFrom(...SCALE_ORIENTATIONS),
      to: fc.constantFrom(...SCALE_DTYPES),
      seed: seeds(),
    })
    await fc.assert(
      fc.asyncProperty(cases, async ({ groups, from, orientation, to, seed, ...spec }) => {
        const matrices = Array.from({ length: groups ?? 1 }, (_, g) => {
          const matrix = randomQuantized(seed + g, spec)
          // What is to become ue8m0 has to be powers of two.
          return to === 'f32' ? matrix : { ...matrix, grid: matrix.grid.map(powerOfTwo) }
        })
        using source = upload(
          device,
          groups === undefined ? (matrices[0] as never) : matrices,
          from,
        )
        const actual = await relayoutScales(source, { orientation, scaleDType: to })
        expect(actual.values).toBe(source.values)
        expect(actual.scales).toMatchObject({ orientation, dtype: to, recipe: spec.recipe })
        const expected = matrices.map((matrix) =>
          scaleBytes({ ...matrix, scaleDType: to }, orientation),
        )
        const bytes = Buffer.from(await actual.scales.tensor.toBytes())
        expect(bytes.equals(Buffer.concat(expected))).toBe(true)
        actual.scales.dispose()
      }),
      { numRuns: 200 },
    )
  })

  it('changes nothing unless asked to', async () => {
    using source = upload(device, randomQuantized(1, { rows: 9, cols: 200, recipe: '1x128' }))
    const actual = await relayoutScales(source, {})
    expect(actual.scales).toMatchObject({ orientation: 'mn-major', dtype: 'f32' })
    expect(await actual.scales.tensor.toBytes()).toEqual(await source.scales.tensor.toBytes())
    actual.scales.dispose()
  })

  it.each([3, 0.1, -2, 0, Number.NaN, Number.POSITIVE_INFINITY, 2 ** -128])(
    'refuses to make ue8m0 of the scale %f, and frees what it allocated',
    async (scale) => {
      const matrix = randomQuantized(2, { rows: 4, cols: 300, recipe: '1x128' })
      const grid = matrix.grid.map(powerOfTwo)
      grid[7] = scale
      using source = upload(device, { ...matrix, grid })
      const before = device.memory().liveBytes
      await expectRefusal(() => relayoutScales(source, { scaleDType: 'ue8m0' }), {
        error: RecipeError,
        given: 'no power of two',
        allowed: 'powers of two',
      })
      expect(device.memory().liveBytes).toBe(before)
    },
  )

  it('refuses alone: work enqueued before and after it on the same stream succeeds', async () => {
    using bad = await quantize(device, { data: Float32Array.of(1, 3), shape: [2, 1] }, '1x128')
    for (let round = 0; round < 20; round++) {
      const outcomes = await Promise.allSettled([
        dequantize(bad),
        relayoutScales(bad, { scaleDType: 'ue8m0' }),
        dequantize(bad),
        relayoutScales(bad, { scaleDType: 'ue8m0' }),
      ])
      expect(outcomes.map(({ status }) => status)).toEqual([
        'fulfilled',
        'rejected',
        'fulfilled',
        'rejected',
      ])
      for (const outcome of outcomes) {
        if (outcome.status === 'fulfilled' && 'dispose' in outcome.value) outcome.value.dispose()
      }
    }
  })
})

function powerOfTwo(scale: number): number {
  return 2 ** Math.floor(Math.log2(scale))
}
