import type { OutDType } from '@deepgemm/core'
import { fp8GemmNT, planGemm } from '@deepgemm/dense'
import { Device } from '@deepgemm/runtime'
import { availableDevices, randomQuantized, upload } from '@deepgemm/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectProducts, startOutput } from './support/output.js'
import { expectedProducts } from './support/products.js'

const gpus = (await availableDevices(Device)).filter(({ kind }) => kind === 'cuda')

/** M, N and K with tails along each of them, from one row to several rounds of tiles. */
const SHAPES: readonly (readonly [number, number, number])[] = [
  [1, 8, 16],
  [1, 512, 7168],
  [7, 264, 720],
  [16, 2112, 2048],
  [64, 576, 4096],
  [130, 520, 1040],
  [257, 136, 16],
  [513, 384, 272],
  [1000, 256, 528],
]

const KINDS: readonly (readonly [OutDType, boolean, '128x128' | '1x128'])[] = [
  ['bf16', false, '128x128'],
  ['f32', false, '128x128'],
  ['bf16', true, '128x128'],
  ['f32', true, '128x128'],
  ['f32', false, '1x128'],
  ['f32', true, '1x128'],
]

describe.skipIf(gpus.length === 0)('products on a GPU', () => {
  let device: Device

  beforeAll(async () => {
    device = await Device.open({ kind: 'cuda' })
  })

  afterAll(async () => {
    await device.dispose()
    expect(device.memory().buffers).toEqual([])
  })

  function operands([m, n, k]: readonly [number, number, number], recipe: '128x128' | '1x128') {
    const a = randomQuantized(m + k, { rows: m, cols: k, recipe: '1x128' })
    const b = randomQuantized(n - k, { rows: n, cols: k, recipe })
    return { host: { a, b }, a: upload(device, a), b: upload(device, b) }
  }

  describe.each(KINDS)('in %s, accumulate %s, B %s', (dtype, accumulate, recipe) => {
    it.each(SHAPES)('are the oracle’s for %i x %i x %i', async (m, n, k) => {
      const { host, a, b } = operands([m, n, k], recipe)
      const started = startOutput(device, { dtype, shape: [m, n], gap: 8, accumulate, seed: m })
      await fp8GemmNT(a, b, { out: started.out, accumulate })
      await expectProducts(started, expectedProducts(host, started.start, 'cuda'))
      for (const owned of [a, b, started.out]) owned.dispose()
    })
  })

  it.each([
    ['a plan', false],
    ['a tuned plan', true],
  ])('run under %s for every M up to its bound, with the same bits each time', async (_, tune) => {
    const [n, k] = [520, 1040]
    const plan = await planGemm(device, { n, k, m: { max: 300 }, tune })
    for (const m of [0, 1, 9, 40, 100, 300]) {
      const { host, a, b } = operands([m, n, k], '128x128')
      const spec = { dtype: 'bf16', shape: [m, n], gap: 0, accumulate: false, seed: 1 } as const
      const runs = [startOutput(device, spec), startOutput(device, spec)] as const
      for (const { out } of runs) plan.run({ a, b, out })
      await device.defaultStream.synchronize()
      await expectProducts(runs[0], expectedProducts(host, undefined, 'cuda'))
      expect(await runs[0].out.toBytes()).toEqual(await runs[1].out.toBytes())
      for (const owned of [a, b, runs[0].out, runs[1].out]) owned.dispose()
    }
  })
})
