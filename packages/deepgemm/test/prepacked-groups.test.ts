import { DeviceError, PrepackedWeights, panelShape } from '@deepgemm/core'
import { allocateQuantized, Device } from '@deepgemm/runtime'
import { expectRefusal, randomQuantized, upload } from '@deepgemm/testing'
import { groupedGemmPacked, planGroupedGemm, prepackWeights, type QuantizedTensor } from 'deepgemm'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkContiguous, checkMasked, checkPacked } from '../../moe/test/support/check-rows.js'
import { plainCase, rowsCases } from '../../moe/test/support/grouped-cases.js'
import { useFakeGpu } from '../../runtime/test/support/fake-gpu.js'

const prepacked = (weights: QuantizedTensor) => prepackWeights(weights)

describe('prepacked weights of experts', () => {
  let device: Device

  beforeAll(async () => {
    device = await Device.open({ kind: 'cpu' })
  })
  afterAll(async () => {
    await device.dispose()
    expect(device.memory().buffers).toEqual([])
  })

  it('give the products of the oracle in every layout of rows', async () => {
    await fc.assert(
      fc.asyncProperty(rowsCases(40, 'cpu'), async (spec) => {
        await checkContiguous(device, spec, prepacked)
        await checkPacked(device, spec, 1, 2, prepacked)
        await checkMasked(device, spec, 2, 1, prepacked)
      }),
      { numRuns: 60 },
    )
  })

  it('serve 256 experts of one to four tokens', async () => {
    const sizes = Array.from({ length: 256 }, (_, expert) => 1 + (expert % 4))
    await checkPacked(device, plainCase(sizes), 0, 0, prepacked)
  })

  it('are what runs of a plan take, with the bits of plain ones', async () => {
    const matrix = (seed: number) =>
      randomQuantized(seed, { rows: 64, cols: 300, recipe: '128x128' as const })
    using a = upload(device, randomQuantized(1, { rows: 9, cols: 300, recipe: '1x128' }), 'k-major')
    using plain = upload(device, [matrix(2), matrix(3)], 'k-major')
    using packed = await prepackWeights(plain)
    using groups = device.tensor(Int32Array.of(0, 3, 9), { dtype: 'i32', shape: [3] })
    const shape = { groups: 2, n: 64, k: 300, m: { max: 9 } }
    const plan = await planGroupedGemm(device, { layout: 'packed', ...shape })
    const bits: Uint8Array[] = []
    for (const b of [plain, packed]) {
      using out = device.zeros({ dtype: 'bf16', shape: [9, 64] })
      plan.run({ a, b, out, groups })
      bits.push(await out.toBytes())
    }
    expect(bits[1]).toEqual(bits[0])
  })
})

describe('prepacked weights of experts on a GPU', () => {
  const gpu = useFakeGpu()

  it('are refused: its kernels read plain ones', async () => {
    const shape = [2, 256, 512] as const
    using a = allocateQuantized(gpu.device, { shape: [8, 512], recipe: '1x128' })
    using weights = allocateQuantized(gpu.device, { shape, recipe: '128x128' })
    using panels = gpu.device.zeros({ dtype: 'e4m3', shape: panelShape(shape) })
    const packed = new PrepackedWeights(panels, weights.scales, shape)
    await expectRefusal(() => groupedGemmPacked(a, packed, Int32Array.of(0, 4, 8)), {
      error: DeviceError,
      given: gpu.device.id,
      allowed: 'CPU',
    })
  })
})
