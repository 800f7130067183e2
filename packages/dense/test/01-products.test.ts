import { Device } from '@deepgemm/runtime'
import { availableDevices, randomQuantized, type ShapeOptions } from '@deepgemm/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkProduct, placedCases } from './support/check.js'
import { expectProducts, startOutput } from './support/output.js'
import { expectedProducts, FORMS, GEMMS, place } from './support/products.js'

describe.each(await availableDevices(Device))('dense products on $kind', ({ kind, open }) => {
  let device: Device
  const cases = (options: ShapeOptions) => placedCases(options, kind)
  /** A GPU compiles for shapes it has not seen: fewer of them here, more in 10-gpu-random. */
  const runs = (count: number) => (kind === 'cpu' ? count : Math.ceil(count / 8))

  beforeAll(async () => {
    device = await open()
  })

  afterAll(async () => {
    await device.dispose()
    expect(device.memory().buffers).toEqual([])
  })

  describe.each(FORMS)('in the form %s', (form) => {
    it('are the oracle’s for random small shapes, scales, outputs and layouts', async () => {
      await fc.assert(
        fc.asyncProperty(cases({ maxM: 48, maxN: 48, maxK: 300 }), (placed) =>
          checkProduct(device, form, placed),
        ),
        { numRuns: runs(450) },
      )
    })

    it('are the oracle’s for shapes of several tiles', async () => {
      await fc.assert(
        fc.asyncProperty(cases({ maxM: 260, maxN: 200, maxK: 520 }), (placed) =>
          checkProduct(device, form, placed),
        ),
        { numRuns: runs(30) },
      )
    })

    it('come in batches', async () => {
      const batches = fc.record({
        placed: cases({ maxM: 40, maxN: 40, maxK: 200 }),
        groups: fc.integer({ min: 1, max: 4 }),
      })
      await fc.assert(
        fc.asyncProperty(batches, async ({ placed: { spec, placement, gap }, groups }) => {
          const { m, n, out: dtype, accumulate, seed } = spec
          const batch = {
            a: Array.from({ length: groups }, (_, g) => randomQuantized(seed + g, spec.a)),
            b: Array.from({ length: groups }, (_, g) => randomQuantized(seed - g - 1, spec.b)),
          }
          const { a, b } = place(device, batch, form, placement)
          const shape = [groups, m, n]
          const started = startOutput(device, { dtype, shape, gap, accumulate, seed })
          await GEMMS[form](a, b, { out: started.out, accumulate })
          await expectProducts(started, expectedProducts(batch, started.start, kind))
          for (const owned of [a, b, started.out]) owned.dispose()
        }),
        { numRuns: runs(80) },
      )
    })

    it('make an output of their own: bf16 unless told otherwise', async () => {
      const host = {
        a: randomQuantized(1, { rows: 3, cols: 144, recipe: '1x128' }),
        b: randomQuantized(2, { rows: 8, cols: 144, recipe: '128x128' }),
      }
      const { a, b } = place(device, host, form)
      for (const dtype of [undefined, 'bf16', 'f32'] as const) {
        using out = await GEMMS[form](a, b, dtype === undefined ? {} : { outDType: dtype })
        expect(out.dtype).toBe(dtype ?? 'bf16')
        expect(out.shape).toEqual([3, 8])
        const spec = { dtype: dtype ?? 'bf16', shape: [3, 8], gap: 0, accumulate: false, seed: 0 }
        await expectProducts(
          { spec, out: out as never, start: undefined },
          expectedProducts(host, undefined, kind),
        )
      }
      a.dispose()
      b.dispose()
    })
  })
})
