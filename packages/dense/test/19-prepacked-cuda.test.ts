import { DeviceError, PrepackedWeights, panelShape } from '@deepgemm/core'
import { fp8GemmNT, planGemm, prepackWeights } from '@deepgemm/dense'
import { allocateQuantized } from '@deepgemm/runtime'
import { expectRefusal } from '@deepgemm/testing'
import { describe, it } from 'vitest'
import { useFakeGpu } from '../../runtime/test/support/fake-gpu.js'

const gpu = useFakeGpu()
const shape = [256, 512] as const

describe('prepacked weights and a GPU', () => {
  it('weights on a GPU are not prepacked', async () => {
    using weights = allocateQuantized(gpu.device, { shape, recipe: '128x128' })
    await expectRefusal(() => prepackWeights(weights), {
      error: DeviceError,
      given: gpu.device.id,
      allowed: 'CPU',
    })
  })

  it('products and plans of a GPU say that they want plain weights', async () => {
    const { device } = gpu
    using a = allocateQuantized(device, { shape: [8, 512], recipe: '1x128' })
    using weights = allocateQuantized(device, { shape, recipe: '128x128' })
    using panels = device.zeros({ dtype: 'e4m3', shape: panelShape(shape) })
    using out = device.zeros({ dtype: 'bf16', shape: [8, 256] })
    const packed = new PrepackedWeights(panels, weights.scales, shape)
    const refusal = { error: DeviceError, given: device.id, allowed: 'CPU' }
    await expectRefusal(() => fp8GemmNT(a, packed), refusal)
    const plan = await planGemm(device, { n: 256, k: 512, m: { max: 8 } })
    await expectRefusal(() => plan.run({ a, b: packed, out }), refusal)
  })
})
