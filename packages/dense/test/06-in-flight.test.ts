import { fp8GemmNT, planGemm } from '@deepgemm/dense'
import { allocateQuantized, Device } from '@deepgemm/runtime'
import { availableDevices, type HostQuantized, randomQuantized } from '@deepgemm/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectProducts, type StartedOutput, startOutput } from './support/output.js'
import { expectedProducts, type HostOperands, place } from './support/products.js'

/** Long enough that most products run on their stream's thread, not at once. */
const K = 1408

type Flight = { readonly host: HostOperands; readonly started: StartedOutput }

describe.each(await availableDevices(Device))('products in flight on $kind', ({ kind, open }) => {
  let device: Device

  beforeAll(async () => {
    device = await open()
  })

  afterAll(async () => {
    await device.dispose()
    expect(device.memory().buffers).toEqual([])
  })

  function operands(seed: number, m: number): { a: HostQuantized; b: HostQuantized } {
    return {
      a: randomQuantized(seed, { rows: m, cols: K, recipe: '1x128' }),
      b: randomQuantized(~seed, { rows: 64, cols: K, recipe: '128x128', scaleDType: 'ue8m0' }),
    }
  }

  async function land({ host, started }: Flight): Promise<void> {
    await expectProducts(started, expectedProducts(host, started.start, kind))
    started.out.dispose()
  }

  it('on several streams are each right, also when their operands are disposed at once', async () => {
    const plan = await planGemm(device, { n: 64, k: K, m: { max: 60 } })
    const streams = Array.from({ length: 4 }, (_, i) => device.createStream(`worker ${i}`))
    const flights = Array.from({ length: 60 }, (_, i) => {
      const host = operands(i, 1 + ((i * 7) % 60))
      const { a, b } = place(device, host, 'NT')
      const shape = [host.a.rows, 64]
      const spec = { dtype: 'bf16', shape, gap: 8 * (i % 3), accumulate: false, seed: i } as const
      const started = startOutput(device, spec)
      plan.run({ a, b, out: started.out, stream: streams[i % 4] as (typeof streams)[0] })
      a.dispose()
      b.dispose()
      return { host, started }
    })
    for (const stream of streams) stream.dispose()
    await Promise.all(flights.map(land))
  })

  it('can be awaited together', async () => {
    const host = operands(1, 33)
    const { a, b } = place(device, host, 'NT')
    const outs = await Promise.all(
      Array.from({ length: 20 }, () => fp8GemmNT(a, b, { outDType: 'f32' })),
    )
    const [first, ...others] = await Promise.all(outs.map((out) => out.toBytes()))
    for (const bytes of others) expect(Buffer.compare(bytes, first as Uint8Array)).toBe(0)
    for (const owned of [a, b, ...outs]) owned.dispose()
  })

  it('add up in order on one stream', async () => {
    const plan = await planGemm(device, {
      n: 64,
      k: K,
      m: { max: 9 },
      out: 'f32',
      accumulate: true,
    })
    const { a, b } = place(device, operands(2, 9), 'NT')
    using inFlight = device.zeros({ dtype: 'f32', shape: [9, 64] })
    for (let i = 0; i < 8; i++) plan.run({ a, b, out: inFlight })
    using awaited = device.zeros({ dtype: 'f32', shape: [9, 64] })
    for (let i = 0; i < 8; i++) await fp8GemmNT(a, b, { out: awaited, accumulate: true })
    expect(Buffer.compare(await inFlight.toBytes(), await awaited.toBytes())).toBe(0)
    a.dispose()
    b.dispose()
  })

  it('wait for events of other streams', async () => {
    const plan = await planGemm(device, { n: 64, k: K, m: { max: 50 }, out: 'f32' })
    const add = await planGemm(device, {
      n: 64,
      k: K,
      m: { max: 50 },
      out: 'f32',
      accumulate: true,
    })
    using first = device.createStream()
    using second = device.createStream()
    const { a, b } = place(device, operands(3, 50), 'NT')
    using out = device.zeros({ dtype: 'f32', shape: [50, 64] })
    using twice = device.zeros({ dtype: 'f32', shape: [50, 64] })
    for (let i = 0; i < 2; i++) add.run({ a, b, out: twice })
    for (let round = 0; round < 30; round++) {
      plan.run({ a, b, out, stream: first })
      second.wait(first.record())
      add.run({ a, b, out, stream: second })
      first.wait(second.record())
    }
    expect(Buffer.compare(await out.toBytes(), await twice.toBytes())).toBe(0)
    a.dispose()
    b.dispose()
  })

  it('leave the event loop free', async () => {
    // Of a size that takes the device several turns of the loop.
    const [m, n, k] = kind === 'cpu' ? [300, 64, K] : [8192, 8192, 8192]
    const a = allocateQuantized(device, { shape: [m, k], recipe: '1x128' })
    const b = allocateQuantized(device, { shape: [n, k], recipe: '128x128' })
    using out = device.zeros({ dtype: 'bf16', shape: [m, n] })
    const plan = await planGemm(device, { n, k, m: { max: m } })
    for (let i = 0; i < 40; i++) plan.run({ a, b, out })
    const work = device.defaultStream.synchronize()
    let [turns, done] = [0, false]
    void work.then(() => {
      done = true
    })
    while (!done) {
      turns++
      await new Promise(setImmediate)
    }
    expect(turns).toBeGreaterThan(1)
    a.dispose()
    b.dispose()
  })
})
