import {
  defaultOrientation,
  FLOAT_DTYPES,
  OptionError,
  RECIPES,
  SCALE_DTYPES,
  SCALE_ORIENTATIONS,
} from '@deepgemm/core'
import { enqueueQuantize, quantize } from '@deepgemm/quant'
import { Device } from '@deepgemm/runtime'
import { availableDevices, extents, seeds } from '@deepgemm/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectedCast, expectSameBits } from './support/expected.js'
import { awkwardSource, store } from './support/sources.js'
import { embed } from './support/views.js'

const ALL_FORMS = SCALE_DTYPES.flatMap((scaleDType) =>
  SCALE_ORIENTATIONS.flatMap((orientation) =>
    FLOAT_DTYPES.flatMap((dtype) =>
      [false, true].map((transpose) => ({ scaleDType, orientation, dtype, transpose })),
    ),
  ),
)

/** The instruction sets that this build and machine have. */
async function usableIsas(): Promise<string[]> {
  const usable: string[] = []
  for (const isa of ['baseline', 'avx2', 'avx512', 'avx512_bf16', 'amx', 'neon']) {
    try {
      await using device = await Device.open({ kind: 'cpu', isa })
      usable.push(device.architecture)
    } catch (error) {
      if (!(error instanceof OptionError)) throw error
    }
  }
  return usable
}

describe.each(await usableIsas())('quantize on the CPU with %s', (isa) => {
  it('gives the bits of the rule', async () => {
    await using device = await Device.open({ kind: 'cpu', isa })
    for (const { dtype, orientation, ...form } of ALL_FORMS) {
      for (const recipe of RECIPES) {
        const source = awkwardSource(9, { shape: [131, 77], dtype })
        using actual = await quantize(device, source, recipe, { ...form, orientation })
        await expectSameBits(actual, expectedCast(source, { recipe, ...form }))
      }
    }
  })
})

describe.each(await availableDevices(Device))('quantize on $kind', ({ open }) => {
  let device: Device

  beforeAll(async () => {
    device = await open()
  })

  afterAll(async () => {
    await device.dispose()
  })

  describe.each(RECIPES)('with the recipe %s', (recipe) => {
    it.each(ALL_FORMS)(
      'gives the bits of the rule: $dtype, $scaleDType scales, $orientation, transpose $transpose',
      async ({ dtype, orientation, ...form }) => {
        const source = awkwardSource(1, { shape: [130, 161], dtype })
        const options = { ...form, orientation }
        using actual = await quantize(device, source, recipe, options)
        expect(actual.shape).toEqual(form.transpose ? [161, 130] : [130, 161])
        expect(actual.scales).toMatchObject({ recipe, orientation, dtype: form.scaleDType })
        await expectSameBits(actual, expectedCast(source, { recipe, ...form }))
      },
    )

    it('writes the orientation that a GEMM reads unless told otherwise', async () => {
      using actual = await quantize(
        device,
        awkwardSource(2, { shape: [5, 5], dtype: 'f32' }),
        recipe,
      )
      expect(actual.scales.orientation).toBe(defaultOrientation(recipe))
      expect(actual.scales.dtype).toBe('f32')
    })
  })

  it('gives the bits of the rule for random shapes, groups, forms and sources', async () => {
    const cases = fc.record({
      rows: fc.oneof(
        { weight: 1, arbitrary: fc.constant(0) },
        { weight: 12, arbitrary: extents({ max: 200 }) },
      ),
      cols: fc.oneof(
        { weight: 1, arbitrary: fc.constant(0) },
        { weight: 12, arbitrary: extents({ max: 200 }) },
      ),
      groups: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
      recipe: fc.constantFrom(...RECIPES),
      form: fc.constantFrom(...ALL_FORMS),
      fromHost: fc.boolean(),
      gap: fc.constantFrom(0, 0, 1, 3),
      seed: seeds(),
    })
    await fc.assert(
      fc.asyncProperty(cases, async ({ rows, cols, groups, recipe, form, seed, ...given }) => {
        const { fromHost, gap } = given
        const { dtype, ...options } = form
        const shape = groups === undefined ? [rows, cols] : [groups, rows, cols]
        const source = awkwardSource(seed, { shape, dtype })
        using input = embed(device, source, gap)
        using actual = await quantize(device, fromHost ? source : input, recipe, options)
        await expectSameBits(actual, expectedCast(source, { recipe, ...options }))
      }),
      { numRuns: 300 },
    )
  })

  it.each(SCALE_DTYPES)('gives an all-zero block the scale 2^-63 in %s', async (scaleDType) => {
    const source = { data: new Float32Array(256), shape: [1, 256] }
    source.data[200] = 448
    using actual = await quantize(device, source, '1x128', { scaleDType, orientation: 'k-major' })
    expect(await actual.scales.tensor.toFloat32Array()).toEqual(Float32Array.of(2 ** -63, 1))
    expect((await actual.values.toBytes()).subarray(0, 128)).toEqual(new Uint8Array(128))
  })

  it('keeps NaN, saturates infinities, and leaves both out of the scale', async () => {
    const data = new Float32Array(128).fill(224)
    data.set([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
    using actual = await quantize(device, { data, shape: [1, 128] }, '1x128')
    expect((await actual.scales.tensor.toFloat32Array())[0]).toBe(0.5)
    const values = await actual.values.toFloat32Array()
    expect(values.subarray(0, 4)).toEqual(Float32Array.of(Number.NaN, 448, -448, 448))
  })

  it('treats a block of nothing but infinities like zeros', async () => {
    const data = new Float32Array(3).fill(Number.NEGATIVE_INFINITY)
    using actual = await quantize(device, { data, shape: [1, 3] }, '1x128')
    expect((await actual.scales.tensor.toFloat32Array())[0]).toBe(2 ** -63)
    expect(await actual.values.toFloat32Array()).toEqual(Float32Array.of(-448, -448, -448))
  })

  it('rounds ue8m0 scales up at and just above a power of two', async () => {
    const above = 1 + 2 ** -23
    const data = Float32Array.of(448, 448 * above, 448 / above)
    using actual = await quantize(device, { data, shape: [3, 1] }, '1x128', {
      scaleDType: 'ue8m0',
      orientation: 'k-major',
    })
    expect(await actual.scales.tensor.toFloat32Array()).toEqual(Float32Array.of(1, 2, 1))
  })

  it('rounds host numbers to the dtype that is asked for', async () => {
    const source = awkwardSource(5, { shape: [4, 140], dtype: 'f32', special: false })
    for (const dtype of ['bf16', 'f16'] as const) {
      const rounded = store(source.values, source.shape, dtype)
      const host = { data: source.data, shape: source.shape, dtype }
      using actual = await quantize(device, host, '1x128')
      const spec = { recipe: '1x128', scaleDType: 'f32', transpose: false } as const
      await expectSameBits(actual, expectedCast(rounded, spec))
    }
  })

  it('takes float64 host data as f32', async () => {
    const data = Float64Array.from({ length: 300 }, (_, i) => Math.sin(i))
    using actual = await quantize(device, { data, shape: [2, 150] }, '128x128')
    using same = await quantize(
      device,
      { data: Float32Array.from(data), shape: [2, 150] },
      '128x128',
    )
    expect(await actual.values.toBytes()).toEqual(await same.values.toBytes())
  })

  it('leaves its source as it was, and alive', async () => {
    using x = device.tensor(Float32Array.of(1, 2, 3, 4), { dtype: 'f32', shape: [2, 2] })
    using actual = await quantize(device, x, '1x128')
    expect(actual.shape).toEqual([2, 2])
    expect(await x.toFloat32Array()).toEqual(Float32Array.of(1, 2, 3, 4))
  })

  it('holds nothing but its result when it is done', async () => {
    const before = device.memory().liveBytes
    const shape = [40, 130]
    const actual = await quantize(device, awkwardSource(6, { shape, dtype: 'f32' }), '1x128')
    expect(device.memory().liveBytes).toBe(before + actual.byteLength)
    actual.dispose()
    expect(device.memory().liveBytes).toBe(before)
  })

  it('names its result as told', async () => {
    using actual = await quantize(device, { data: new Float32Array(1), shape: [1, 1] }, '1x128', {
      label: 'gate',
    })
    expect(actual.values.storage.label).toBe('gate values')
    expect(actual.scales.tensor.storage.label).toBe('gate scales')
  })

  it('runs on the stream it is given', async () => {
    using stream = device.createStream()
    const source = awkwardSource(7, { shape: [3, 200], dtype: 'bf16' })
    using actual = await quantize(device, source, '1x128', { stream })
    const spec = { recipe: '1x128', scaleDType: 'f32', transpose: false } as const
    await expectSameBits(actual, expectedCast(source, spec))
  })

  it('has copied host data when enqueueQuantize returns', async () => {
    const source = awkwardSource(8, { shape: [64, 1000], dtype: 'f32' })
    const expected = expectedCast(source, {
      recipe: '128x128',
      scaleDType: 'f32',
      transpose: false,
    })
    using actual = enqueueQuantize(device, source, '128x128')
    source.data.fill(7)
    await expectSameBits(actual, expected)
  })
})
