import { fp8GemmNN, fp8GemmNT, fp8GemmTN } from '@deepgemm/dense'
import { Device } from '@deepgemm/runtime'
import {
  availableDevices,
  type HostQuantized,
  randomQuantized,
  transposed,
  upload,
} from '@deepgemm/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectProducts, startOutput } from './support/output.js'
import { expectedProducts } from './support/products.js'

/** Tokens, outputs and inputs of a layer: Y [M, N] = X [M, K] · Wᵀ. */
const [M, N, K] = [208, 144, 400]

describe.each(await availableDevices(Device))('gradients of a layer on $kind', ({ kind, open }) => {
  let device: Device

  beforeAll(async () => {
    device = await open()
  })

  afterAll(async () => {
    await device.dispose()
    expect(device.memory().buffers).toEqual([])
  })

  it('of the data are dY · W with W as it is stored', async () => {
    const dy = randomQuantized(1, { rows: M, cols: N, recipe: '1x128' })
    const w = randomQuantized(2, { rows: N, cols: K, recipe: '128x128' })
    const [a, b] = [upload(device, dy), upload(device, w)]
    const spec = { dtype: 'bf16', shape: [M, K], gap: 0, accumulate: false, seed: 1 } as const
    const started = startOutput(device, spec)
    await fp8GemmNN(a, b, { out: started.out })
    const operands = { a: dy, b: transposed(w) }
    await expectProducts(started, expectedProducts(operands, undefined, kind))
    for (const owned of [a, b, started.out]) owned.dispose()
  })

  /** dYᵀ [N, M] and Xᵀ [K, M], whose blocks run along the tokens. */
  const turned = {
    a: randomQuantized(3, { rows: N, cols: M, recipe: '1x128' }),
    b: randomQuantized(4, { rows: K, cols: M, recipe: '1x128' }),
  }

  async function weightGradient(
    multiply: typeof fp8GemmTN,
    a: HostQuantized,
    b: HostQuantized,
  ): Promise<Uint8Array> {
    const [dy, x] = [upload(device, a), upload(device, b)]
    const spec = { dtype: 'f32', shape: [N, K], gap: 0, accumulate: true, seed: 5 } as const
    const started = startOutput(device, spec)
    await multiply(dy, x, { out: started.out, accumulate: true })
    await expectProducts(started, expectedProducts(turned, started.start, kind))
    const bytes = await started.out.toBytes()
    for (const owned of [dy, x, started.out]) owned.dispose()
    return bytes
  }

  it('of the weights are added to dW, from both matrices as they are stored or turned', async () => {
    const stored = await weightGradient(fp8GemmTN, transposed(turned.a), transposed(turned.b))
    const already = await weightGradient(fp8GemmNT, turned.a, turned.b)
    expect(Buffer.compare(stored, already)).toBe(0)
  })
})
