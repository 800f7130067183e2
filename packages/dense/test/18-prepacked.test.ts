import {
  DTypeError,
  LayoutError,
  PrepackedWeights,
  panelShape,
  type QuantizedTensor,
  RecipeError,
  Scales,
  ShapeError,
} from '@deepgemm/core'
import { fp8GemmNN, fp8GemmNT, planGemm, prepackWeights } from '@deepgemm/dense'
import { Device } from '@deepgemm/runtime'
import { expectRefusal, randomQuantized, upload } from '@deepgemm/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let device: Device

beforeAll(async () => {
  device = await Device.open({ kind: 'cpu' })
})

afterAll(async () => {
  await device.dispose()
})

const tokens = (rows: number, cols: number) =>
  upload(device, randomQuantized(1, { rows, cols, recipe: '1x128' }), 'mn-major')
const weights = (rows: number, cols: number) =>
  upload(device, randomQuantized(2, { rows, cols, recipe: '128x128' }), 'k-major')

async function bitsOf(a: QuantizedTensor, b: QuantizedTensor | PrepackedWeights): Promise<Buffer> {
  using out = await fp8GemmNT(a, b, { outDType: 'f32' })
  return Buffer.from(await out.toBytes())
}

describe('prepacked weights', () => {
  it.each([
    [3, 64, 256],
    [17, 33, 300],
    [70, 129, 1000],
  ])('give the bits of plain ones: %i x %i x %i', async (m, n, k) => {
    using a = tokens(m, k)
    using b = weights(n, k)
    using packed = await prepackWeights(b)
    expect((await bitsOf(a, packed)).equals(await bitsOf(a, b))).toBe(true)
  })

  it('have as many bytes, and outlive the weights', async () => {
    using a = tokens(8, 256)
    const b = weights(64, 256)
    const expected = await bitsOf(a, b)
    using packed = await prepackWeights(b)
    expect(packed.byteLength).toBe(b.byteLength)
    b.dispose()
    expect((await bitsOf(a, packed)).equals(expected)).toBe(true)
  })

  it('are saved and loaded as plain tensors', async () => {
    using a = tokens(5, 200)
    using b = weights(40, 200)
    using packed = await prepackWeights(b)
    const { shape, panels, scales } = packed
    const [panelBytes, scaleBytes] = [await panels.toBytes(), await scales.tensor.toBytes()]

    const { recipe, orientation } = scales
    using loaded = new PrepackedWeights(
      device.tensor(panelBytes.slice(), { dtype: 'e4m3', shape: panelShape(shape) }),
      new Scales(
        device.tensor(new Float32Array(scaleBytes.slice().buffer), {
          dtype: 'f32',
          shape: scales.tensor.shape,
        }),
        { recipe, orientation },
      ),
      shape,
    )
    expect((await bitsOf(a, loaded)).equals(await bitsOf(a, b))).toBe(true)
  })

  it('are shared by plans', async () => {
    using b = weights(96, 384)
    using packed = await prepackWeights(b)
    for (const max of [4, 64]) {
      const plan = await planGemm(device, { n: 96, k: 384, m: { max }, out: 'f32' })
      using a = tokens(max, 384)
      using out = device.empty({ dtype: 'f32', shape: [max, 96] })
      plan.run({ a, b: packed, out })
      await device.defaultStream.synchronize()
      expect(Buffer.from(await out.toBytes()).equals(await bitsOf(a, b))).toBe(true)
    }
  })

  it('come in batches, with ue8m0 scales too', async () => {
    const spec = { rows: 33, cols: 130, recipe: '128x128', scaleDType: 'ue8m0' } as const
    const hosts = [3, 4, 5].map((seed) => randomQuantized(seed, spec))
    const lefts = [6, 7, 8].map((seed) =>
      randomQuantized(seed, { ...spec, rows: 9, recipe: '1x128' }),
    )
    using a = upload(device, lefts, 'mn-major')
    using b = upload(device, hosts, 'k-major')
    using packed = await prepackWeights(b)
    expect(packed.scales.dtype).toBe('f32')
    expect((await bitsOf(a, packed)).equals(await bitsOf(a, b))).toBe(true)
  })
})

describe('what prepacked weights refuse', () => {
  it('other forms than NT', async () => {
    using a = tokens(4, 128)
    using b = weights(128, 128)
    using packed = await prepackWeights(b)
    await expectRefusal(() => fp8GemmNN(a, packed as unknown as QuantizedTensor), {
      error: LayoutError,
      given: 'NN',
      allowed: 'NT',
    })
  })

  it('parts that do not belong together', async () => {
    using b = weights(64, 256)
    using packed = await prepackWeights(b)
    const { panels, scales } = packed
    await expectRefusal(() => new PrepackedWeights(panels, scales, [96, 256]), {
      error: ShapeError,
    })
    await expectRefusal(() => new PrepackedWeights(panels, scales, [64, 240]), {
      error: ShapeError,
    })
    await expectRefusal(() => new PrepackedWeights(scales.tensor, scales, [64, 256]), {
      error: DTypeError,
    })
  })

  it('scales whose blocks do not run along K', async () => {
    using b = upload(device, randomQuantized(2, { rows: 64, cols: 64, recipe: '128x1' }), 'k-major')
    await expectRefusal(() => prepackWeights(b), { error: RecipeError, given: '128x1' })
  })

  it('use after dispose', async () => {
    using a = tokens(4, 128)
    using b = weights(64, 128)
    const packed = await prepackWeights(b)
    packed.dispose()
    await expect(fp8GemmNT(a, packed)).rejects.toThrow(/disposed/)
  })
})
