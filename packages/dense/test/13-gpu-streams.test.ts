import { planGemm } from '@deepgemm/dense'
import { enqueueTranspose, prepareTranspose } from '@deepgemm/jit'
import { allocateQuantized, Device } from '@deepgemm/runtime'
import { CudaBuffer, CudaDevice } from '@deepgemm/runtime/cuda'
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

const gpus = (await availableDevices(Device)).filter(({ kind }) => kind === 'cuda')
const [M, N, K] = [96, 136, 528]

describe.skipIf(gpus.length === 0)('products on a GPU’s streams', () => {
  let device: CudaDevice

  beforeAll(async () => {
    const opened = await Device.open({ kind: 'cuda' })
    if (!(opened instanceof CudaDevice)) throw new Error('not a GPU')
    device = opened
    await prepareTranspose(device)
  })

  afterAll(async () => {
    await device.dispose()
    expect(device.memory().buffers).toEqual([])
  })

  const matrix = (seed: number, rows = M): HostQuantized =>
    randomQuantized(seed, { rows, cols: K, recipe: '1x128' })
  const WEIGHTS = randomQuantized(77, { rows: N, cols: K, recipe: '128x128' })

  function output(seed: number, rows = M) {
    const spec = { dtype: 'bf16', shape: [rows, N], gap: 0, accumulate: false, seed } as const
    return startOutput(device, spec)
  }

  it.each([false, true])(
    'see what the kernel just before them wrote, weights ready: %s',
    async (weightsReady) => {
      const plan = await planGemm(device, { n: N, k: K, m: { max: M } })
      const b = upload(device, WEIGHTS)
      const hosts = Array.from({ length: 40 }, (_, i) => matrix(i))
      const sources = hosts.map((host) => upload(device, transposed(host)))
      const outs = hosts.map((_, i) => output(i))
      // One operand for all: written by a kernel, read by the next, forty times without a pause.
      const a = allocateQuantized(device, { shape: [M, K], recipe: '1x128' })
      await device.synchronize()
      sources.forEach((source, i) => {
        enqueueTranspose(device.defaultStream, source, a)
        plan.run({ a, b, out: (outs[i] as (typeof outs)[0]).out, weightsReady })
      })
      await device.synchronize()
      for (const [i, host] of hosts.entries()) {
        const started = outs[i] as (typeof outs)[0]
        await expectProducts(started, expectedProducts({ a: host, b: WEIGHTS }, undefined, 'cuda'))
        started.out.dispose()
      }
      for (const owned of [a, b, ...sources]) owned.dispose()
    },
  )

  it('see what the copy just before them brought', async () => {
    const plan = await planGemm(device, { n: N, k: K, m: { max: M } })
    const b = upload(device, WEIGHTS)
    const first = matrix(1)
    const a = upload(device, first)
    const storage = a.values.storage
    if (!(storage instanceof CudaBuffer)) throw new Error('not on a GPU')
    const hosts = Array.from({ length: 10 }, (_, i) => ({ ...first, codes: matrix(i + 50).codes }))
    const pinned = hosts.map((host) => {
      const memory = device.pinned(M * K)
      memory.bytes().set(host.codes)
      return memory
    })
    const outs = hosts.map((_, i) => output(i))
    await device.synchronize()
    pinned.forEach((memory, i) => {
      memory.copyTo(storage)
      plan.run({ a, b, out: (outs[i] as (typeof outs)[0]).out, weightsReady: true })
    })
    for (const [i, host] of hosts.entries()) {
      const started = outs[i] as (typeof outs)[0]
      await expectProducts(started, expectedProducts({ a: host, b: WEIGHTS }, undefined, 'cuda'))
      started.out.dispose()
    }
    for (const owned of [a, b, ...pinned]) owned.dispose()
  })

  it('keep what they read: memory that is disposed at once is not given to others before', async () => {
    const plan = await planGemm(device, { n: N, k: K, m: { max: M }, form: 'NN' })
    const flights = Array.from({ length: 60 }, (_, i) => {
      const host = matrix(i, 1 + ((i * 37) % M))
      const a = upload(device, host)
      const b = upload(device, transposed(WEIGHTS))
      const started = output(i, host.rows)
      const stream = device.createStream()
      plan.run({ a, b, out: started.out, stream })
      for (const owned of [a, b, stream]) owned.dispose()
      // Whatever memory is free now is written to: NaN wherever a product would still read.
      device.tensor(new Uint8Array(N * K).fill(0x7f), { dtype: 'e4m3', shape: [N, K] }).dispose()
      return { host, started }
    })
    for (const { host, started } of flights) {
      await expectProducts(started, expectedProducts({ a: host, b: WEIGHTS }, undefined, 'cuda'))
      started.out.dispose()
    }
  })

  it('are captured in a graph and run again on new data', async () => {
    const plan = await planGemm(device, { n: N, k: K, m: { max: M }, form: 'NN' })
    const first = matrix(5)
    const [a, b] = [upload(device, first), upload(device, transposed(WEIGHTS))]
    const started = output(5)
    using graph = device.capture((stream) => {
      plan.run({ a, b, out: started.out, stream })
    })
    for (const seed of [6, 7]) {
      const host = { ...first, codes: matrix(seed).codes }
      await a.values.storage.write(0, host.codes)
      graph.launch()
      await expectProducts(started, expectedProducts({ a: host, b: WEIGHTS }, undefined, 'cuda'))
    }
    for (const owned of [a, b, started.out]) owned.dispose()
  })

  it('beside one another have workspaces of their own', async () => {
    // Few tiles and a long K: partial sums go through workspace.
    const k = 16_384
    const plan = await planGemm(device, { n: 512, k, m: { max: 64 }, out: 'f32' })
    const a = upload(device, randomQuantized(1, { rows: 64, cols: k, recipe: '1x128' }))
    const b = upload(device, randomQuantized(2, { rows: 512, cols: k, recipe: '128x128' }))
    const streams = Array.from({ length: 4 }, () => device.createStream())
    const outs = streams.map(() => device.zeros({ dtype: 'f32', shape: [64, 512] }))
    await device.synchronize()
    for (let round = 0; round < 50; round++) {
      streams.forEach((stream, i) => {
        plan.run({ a, b, out: outs[i] as (typeof outs)[0], stream, weightsReady: true })
      })
    }
    const [first, ...others] = await Promise.all(outs.map((out) => out.toBytes()))
    for (const bytes of others) expect(Buffer.compare(bytes, first as Uint8Array)).toBe(0)
    expect(new Set(first).size).toBeGreaterThan(100)
    for (const owned of [a, b, ...outs, ...streams]) owned.dispose()
  })
})
