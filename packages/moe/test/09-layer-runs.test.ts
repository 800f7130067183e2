import type { QuantizedTensor, Tensor } from '@deepgemm/core'
import {
  combine,
  groupedGemmPacked,
  MoeLayer,
  type MoeLayerOptions,
  permute,
  planPermutation,
  route,
  swigluQuantize,
} from '@deepgemm/moe'
import { allocateQuantized, Device } from '@deepgemm/runtime'
import { availableDevices, createRandom, globalError, normalArray } from '@deepgemm/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { enqueueQuantize, prepareQuantize } from '../src/backend.js'
import { type DeviceWeights, hostWeights, uploadWeights } from './support/layer-weights.js'

const SPEC = { experts: 8, hidden: 208, intermediate: 144, shared: 128, topK: 2, seed: 7 }
const MAX_TOKENS = 40
/** See 08-layer.test.ts: an activation of a narrow layer that rounds to the next code. */
const TOKEN_ERROR = 2.6e-3

describe.each(await availableDevices(Device))('runs of a MoE layer on $kind', (kind) => {
  let device: Device
  let weights: DeviceWeights
  let layer: MoeLayer

  const create = (options: Partial<MoeLayerOptions> = {}, on = device): Promise<MoeLayer> =>
    MoeLayer.create(on, { ...weights, topK: SPEC.topK, maxTokens: MAX_TOKENS, ...options })

  beforeAll(async () => {
    device = await kind.open()
    weights = uploadWeights(device, hostWeights(SPEC), SPEC)
    layer = await create()
  })
  afterAll(() => device.dispose())

  function tokens(count: number, dtype: 'f32' | 'bf16' | 'f16' = 'f32', seed = count): Tensor {
    const numbers = normalArray(createRandom(seed), count * SPEC.hidden)
    return device.tensor(numbers, { dtype, shape: [count, SPEC.hidden] })
  }

  const logitsFor = (count: number, seed = 1): Tensor =>
    device.tensor(normalArray(createRandom(seed), count * SPEC.experts), {
      dtype: 'f32',
      shape: [count, SPEC.experts],
    })

  /**
   * The same bits, on a CPU. A GPU chooses its kernels by the number of rows, and some of them add
   * up K in parts.
   */
  async function expectSame(given: Tensor, expected: Tensor): Promise<void> {
    if (kind.kind === 'cpu') {
      expect(await given.toBytes()).toEqual(await expected.toBytes())
      return
    }
    const [a, b] = [await given.toFloat32Array(), await expected.toFloat32Array()]
    for (let at = 0; at < a.length; at += SPEC.hidden) {
      const range = [at, at + SPEC.hidden] as const
      expect(globalError(a.subarray(...range), b.subarray(...range))).toBeLessThan(TOKEN_ERROR)
    }
  }

  it('have the bits of the same steps taken one by one', async () => {
    const [x, logits] = [tokens(21), logitsFor(21)]
    const plain = await MoeLayer.create(device, {
      experts: weights.experts,
      topK: SPEC.topK,
      maxTokens: 21,
    })
    const q = allocateQuantized(device, { shape: x.shape, recipe: '1x128' })
    const cast = { source: x as Tensor<'f32'>, out: q, transpose: false }
    await prepareQuantize(device, cast)
    enqueueQuantize(device.defaultStream, cast)
    const routing = await route(logits, { topK: SPEC.topK })
    const plan = await planPermutation(routing.indices, { layout: 'packed', experts: SPEC.experts })
    const { groups } = plan
    const multiply = (a: QuantizedTensor, b: QuantizedTensor): Promise<Tensor> =>
      groupedGemmPacked(a, b, groups)
    const hidden = await multiply(await permute(q, plan), weights.experts.gateUp)
    const activation = await swigluQuantize(hidden, { groups: plan })
    const rows = await multiply(activation, weights.experts.down)
    const expected = await combine(rows, plan, routing.weights)
    await expectSame(plain.run(x, { logits }), expected)
  })

  it('have the same bits in the decode and in the prefill path', async () => {
    const [prefill, decode] = [
      await create({ maxDecodeTokens: 0 }),
      await create({ maxDecodeTokens: MAX_TOKENS }),
    ]
    for (const count of [1, 5, MAX_TOKENS]) {
      const x = tokens(count)
      const expected = prefill.run(x)
      await expectSame(decode.run(x), expected)
      await expectSame(layer.run(x), expected)
    }
  })

  it('give a token the same result in every batch', async () => {
    const x = tokens(MAX_TOKENS)
    const whole = layer.run(x)
    for (const token of [0, 17, MAX_TOKENS - 1]) {
      const alone = layer.run(x.slice(0, token, token + 1))
      await expectSame(alone, whole.slice(0, token, token + 1))
    }
  })

  it('give the same bits at every run, whatever ran between', async () => {
    const inputs = [1, 7, 16, 17, MAX_TOKENS].flatMap((count) =>
      [1, 2, 3].map((seed) => tokens(count, 'bf16', seed)),
    )
    const first: Uint8Array[] = []
    for (const x of inputs) first.push(await layer.run(x).toBytes())
    for (const [i, x] of inputs.entries()) {
      expect(Buffer.compare(await layer.run(x).toBytes(), first[i] as Uint8Array)).toBe(0)
    }
  })

  it.runIf(kind.kind === 'cpu')('have the same bits with any number of threads', async () => {
    const x = tokens(MAX_TOKENS)
    const whole = await layer.run(x).toBytes()
    const single = await Device.open({ kind: 'cpu', threads: 1 })
    const own = uploadWeights(single, hostWeights(SPEC), SPEC)
    const other = await MoeLayer.create(single, {
      ...own,
      topK: SPEC.topK,
      maxTokens: MAX_TOKENS,
    })
    const copy = single.tensor(new Float32Array((await x.toFloat32Array()).buffer as ArrayBuffer), {
      dtype: 'f32',
      shape: x.shape,
    })
    expect(await other.run(copy).toBytes()).toEqual(whole)
    await single.dispose()
  })

  it('take bf16 and f16 tokens', async () => {
    for (const dtype of ['bf16', 'f16'] as const) {
      const x = tokens(5, dtype)
      const same = device.tensor(Float32Array.from(await x.toFloat32Array()), {
        dtype: 'f32',
        shape: x.shape,
      })
      const expected = await layer.run(same).toBytes()
      expect(await layer.run(x).toBytes()).toEqual(expected)
    }
  })

  it('take no tokens', async () => {
    const y = layer.run(tokens(0))
    expect(y.shape).toEqual([0, SPEC.hidden])
    expect(y.dtype).toBe('bf16')
  })

  it('send all tokens to one expert when the logits say so', async () => {
    const count = MAX_TOKENS
    const numbers = new Float32Array(count * SPEC.experts)
    for (let token = 0; token < count; token++) numbers.set([9, 8], token * SPEC.experts + 4)
    const logits = device.tensor(numbers, { dtype: 'f32', shape: [count, SPEC.experts] })
    const decode = await create({ maxDecodeTokens: MAX_TOKENS })
    const x = tokens(count)
    const expected = layer.run(x, { logits })
    await expectSame(decode.run(x, { logits }), expected)
    expect((await expected.toBytes()).some((byte) => byte !== 0)).toBe(true)
  })

  it('write to an output of the caller, which may be the input', async () => {
    const x = tokens(9, 'bf16')
    const expected = await layer.run(x).toBytes()
    const f32 = device.zeros({ dtype: 'f32', shape: x.shape })
    expect(layer.run(x, { out: f32 })).toBe(f32)
    expect(layer.run(x, { out: x })).toBe(x)
    expect(await x.toBytes()).toEqual(expected)
    const rounded = device.tensor(Float32Array.from(await f32.toFloat32Array()), {
      dtype: 'bf16',
      shape: x.shape,
    })
    expect(await rounded.toBytes()).toEqual(expected)
  })

  it('wait for one another across streams', async () => {
    const streams = [device.createStream(), device.createStream(), device.defaultStream]
    const inputs = Array.from({ length: 24 }, (_, i) => tokens(1 + (i % MAX_TOKENS), 'f32', i))
    const expected: Uint8Array[] = []
    for (const x of inputs) expected.push(await layer.run(x).toBytes())
    const results = inputs.map((x, i) => layer.run(x, { stream: streams[i % 3] as never }))
    for (const [i, result] of results.entries()) expect(await result.toBytes()).toEqual(expected[i])
    for (const stream of streams.slice(0, 2)) stream.dispose()
    expect(await layer.run(inputs[3] as Tensor).toBytes()).toEqual(expected[3])
  })

  it('allocate nothing but their output', async () => {
    const x = tokens(30)
    const out = device.zeros({ dtype: 'bf16', shape: x.shape })
    // On a GPU the first run makes the workspace of its products, the second a graph.
    for (let i = 0; i < 3; i++) layer.run(x, { out })
    const before = device.memory().liveBytes
    for (let i = 0; i < 5; i++) layer.run(x, { out })
    await device.synchronize()
    // Less when garbage of other tests was collected meanwhile.
    expect(device.memory().liveBytes).toBeLessThanOrEqual(before)
    const y = layer.run(x)
    expect(device.memory().liveBytes).toBeLessThanOrEqual(before + y.byteLength)
    y.dispose()
  })

  it('give NaN only to the tokens that have it', async () => {
    const x = tokens(4)
    const clean = layer.run(x)
    const numbers = await x.toFloat32Array()
    numbers[2 * SPEC.hidden + 5] = Number.NaN
    const dirty = device.tensor(Float32Array.from(numbers), { dtype: 'f32', shape: x.shape })
    const got = layer.run(dirty)
    for (const value of await got.slice(0, 2, 3).toFloat32Array()) expect(value).toBeNaN()
    for (const token of [0, 1, 3]) {
      await expectSame(got.slice(0, token, token + 1), clean.slice(0, token, token + 1))
    }
  })
})
