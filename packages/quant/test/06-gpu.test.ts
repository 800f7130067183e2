// A GPU beside the CPU: the same bytes, on shapes large enough for many tiles and their edges. The
// other suites compare either device with the oracle on small ones.

import {
  FLOAT_DTYPES,
  type QuantizedTensor,
  RECIPES,
  SCALE_DTYPES,
  SCALE_ORIENTATIONS,
  transposeRecipe,
  transposeScales,
} from '@deepgemm/core'
import { enqueueTranspose, prepareTranspose } from '@deepgemm/jit'
import { dequantize, quantize, relayoutScales } from '@deepgemm/quant'
import { allocateQuantized, Device } from '@deepgemm/runtime'
import { CudaDevice } from '@deepgemm/runtime/cuda'
import { availableDevices, extents, seeds } from '@deepgemm/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { awkwardSource } from './support/sources.js'
import { embed } from './support/views.js'

const gpus = (await availableDevices(Device)).filter(({ kind }) => kind === 'cuda')

const forms = fc.record({
  rows: extents({ max: 700 }),
  cols: fc.oneof(
    extents({ max: 1200 }),
    extents({ max: 70 }).map((x) => x * 16),
  ),
  groups: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  recipe: fc.constantFrom(...RECIPES),
  scaleDType: fc.constantFrom(...SCALE_DTYPES),
  orientation: fc.constantFrom(...SCALE_ORIENTATIONS),
  dtype: fc.constantFrom(...FLOAT_DTYPES),
  gap: fc.constantFrom(0, 0, 8, 5),
  seed: seeds(),
})

type Form = typeof forms extends fc.Arbitrary<infer F> ? F : never

/** Expects the same bytes; the first that differ are told. */
function expectSame(what: string, mine: Uint8Array, theirs: Uint8Array): void {
  expect(mine.length).toBe(theirs.length)
  if (Buffer.from(mine.buffer, mine.byteOffset, mine.length).equals(theirs)) return
  const at = theirs.findIndex((byte, i) => byte !== mine[i])
  throw new Error(`${what}: byte ${at} is ${mine[at]} on the GPU, ${theirs[at]} on the CPU`)
}

async function expectSameTensor(mine: QuantizedTensor, theirs: QuantizedTensor): Promise<void> {
  expectSame('values', await mine.values.toBytes(), await theirs.values.toBytes())
  const [ours, other] = [mine.scales.tensor, theirs.scales.tensor]
  expectSame('scales', await ours.toBytes(), await other.toBytes())
}

describe.skipIf(gpus.length === 0)('casts on a GPU', () => {
  let gpu: CudaDevice
  let cpu: Device

  beforeAll(async () => {
    const opened = await Device.open({ kind: 'cuda' })
    if (!(opened instanceof CudaDevice)) throw new Error('no GPU was opened')
    gpu = opened
    cpu = await Device.open({ kind: 'cpu' })
  })

  afterAll(async () => {
    await gpu.dispose()
    expect(gpu.memory().buffers).toEqual([])
    await cpu.dispose()
  })

  function sourceOf({ rows, cols, groups, dtype, seed }: Form) {
    const shape = groups === undefined ? [rows, cols] : [groups, rows, cols]
    return awkwardSource(seed, { shape, dtype })
  }

  it.each([false, true])('give the bytes of the CPU, transposing: %s', async (transpose) => {
    await fc.assert(
      fc.asyncProperty(forms, async (form) => {
        const { recipe, scaleDType, orientation, gap } = form
        const source = sourceOf(form)
        const options = { scaleDType, orientation, transpose }
        using input = embed(gpu, source, gap)
        using mine = await quantize(gpu, input, recipe, options)
        using theirs = await quantize(cpu, source, recipe, options)
        await expectSameTensor(mine, theirs)
      }),
      { numRuns: 150 },
    )
  })

  it('back to floats give the bytes of the CPU, but for the bits of NaN', async () => {
    await fc.assert(
      fc.asyncProperty(forms, async (form) => {
        const { recipe, scaleDType, orientation, dtype } = form
        const source = sourceOf(form)
        using mine = await quantize(gpu, source, recipe, { scaleDType, orientation })
        using theirs = await quantize(cpu, source, recipe, { scaleDType, orientation })
        using back = await dequantize(mine, { dtype })
        using expected = await dequantize(theirs, { dtype })
        const [ours, other] = [await back.toFloat32Array(), await expected.toFloat32Array()]
        const bits = (x: Float32Array): Uint8Array =>
          new Uint8Array(x.map((v) => (Number.isNaN(v) ? Number.NaN : v)).buffer)
        expectSame('floats', bits(ours), bits(other))
      }),
      { numRuns: 100 },
    )
  })

  it('copy scales into any layout as the CPU does', async () => {
    await fc.assert(
      fc.asyncProperty(forms, fc.constantFrom(...SCALE_ORIENTATIONS), async (form, to) => {
        const { recipe, orientation } = form
        const source = sourceOf(form)
        using mine = await quantize(gpu, source, recipe, { scaleDType: 'ue8m0', orientation })
        const wide = await relayoutScales(mine, { orientation: to, scaleDType: 'f32' })
        const back = await relayoutScales(wide, { orientation, scaleDType: 'ue8m0' })
        using expected = await quantize(cpu, source, recipe, {
          scaleDType: 'ue8m0',
          orientation: to,
        })
        const theirs = await relayoutScales(expected, { scaleDType: 'f32' })
        await expectSameTensor(wide, theirs)
        await expectSameTensor(back, mine)
        for (const { scales } of [wide, back, theirs]) scales.dispose()
      }),
      { numRuns: 60 },
    )
  })

  it('transpose values and scales in one launch', async () => {
    await prepareTranspose(gpu)
    await fc.assert(
      fc.asyncProperty(forms, fc.constantFrom(...SCALE_ORIENTATIONS), async (form, to) => {
        const { recipe, scaleDType, orientation } = form
        const source = sourceOf(form)
        using mine = await quantize(gpu, source, recipe, { scaleDType, orientation })
        const turned = [...mine.shape.slice(0, -2), ...mine.shape.slice(-2).reverse()]
        using out = allocateQuantized(gpu, {
          shape: turned,
          recipe: transposeRecipe(recipe),
          scaleDType,
          orientation: to,
        })
        enqueueTranspose(gpu.defaultStream, mine, out)
        const view = transposeScales(mine.scales, mine.shape)
        expectSame('values', await out.values.toBytes(), await mine.values.transpose().toBytes())
        const { tensor, orientation: stored } = out.scales
        const rows = view.tensor.shape.at(-2) as number
        const grid =
          stored === 'k-major' ? tensor : tensor.slice(tensor.shape.length - 1, 0, rows).transpose()
        expectSame('scales', await grid.toBytes(), await view.tensor.toBytes())
      }),
      { numRuns: 100 },
    )
  })
})
