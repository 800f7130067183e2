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
import { cpuQuantize, cpuQueue } from '@deepgemm/runtime/cpu'
import { availableDevices, createRandom, normalArray } from '@deepgemm/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DeviceWeights, hostWeights, uploadWeights } from './support/layer-weights.js'

const SPEC = { experts: 8, hidden: 200, intermediate: 144, shared: 128, topK: 2, seed: 7 }
const MAX_TOKENS = 40

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

  it('have the bits of the same steps taken one by one', async () => {
    const [x, logits] = [tokens(21), logitsFor(21)]
    const plain = await MoeLayer.create(device, {
      experts: weights.experts,
      topK: SPEC.topK,
      maxTokens: 21,
    })
    const q = allocateQuantized(device, { shape: x.shape, recipe: '1x128' })
    cpuQuantize(cpuQueue(device), x as Tensor<'f32'>, q)
    const routing = await route(logits, { topK: SPEC.topK })
    const plan = await planPermutation(routing.indices, { layout: 'packed', experts: SPEC.experts })
    const { groups } = plan
    const multiply = (a: QuantizedTensor, b: QuantizedTensor): Promise<Tensor> =>
      groupedGemmPacked(a, b, groups)
    const hidden = await multiply(await permute(q, plan), weights.experts.gateUp)
    const activation = await swigluQuantize(hidden, { groups: plan })
    const rows = await multiply(activation, weights.experts.down)
    const expected = await combine(rows, plan, routing.weights)
    expect(await plain.run(x, { logits }).toBytes()).toEqual(await expected.toBytes())
  })

  it('have the same bits in the decode and in the prefill path', async () => {
    const [prefill, decode] = [
      await create({ maxDecodeTokens: 0 }),
      await create({ maxDecodeTokens: MAX_TOKENS }),
    ]
    for (const count of [1, 5, MAX_TOKENS]) {
      const x = tokens(count)
      const expected = await prefill.run(x).toBytes()
      expect(await decode.run(x).toBytes()).toEqual(expected)
      expect(await layer.run(x).toBytes()).toEqual(expected)
    }
  })

  it('give a token the same bits in every batch and with any number of threads', async () => {
    const x = tokens(MAX_TOKENS)
    const whole = await layer.run(x).toBytes()
    const width = 2 * SPEC.hidden
    for (const token of [0, 17, MAX_TOKENS - 1]) {
      const alone = await layer.run(x.slice(0, token, token + 1)).toBytes()
      expect(alone).toEqual(whole.slice(token * width, (token + 1) * width))
    }
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
    const expected = await layer.run(x, { logits }).toBytes()
    expect(await decode.run(x, { logits }).toBytes()).toEqual(expected)
    expect(expected.some((byte) => byte !== 0)).toBe(true)
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
    const clean = await layer.run(x).toFloat32Array()
    const numbers = await x.toFloat32Array()
    numbers[2 * SPEC.hidden + 5] = Number.NaN
    const dirty = device.tensor(Float32Array.from(numbers), { dtype: 'f32', shape: x.shape })
    const got = await layer.run(dirty).toFloat32Array()
    for (const [i, value] of got.entries()) {
      if (Math.floor(i / SPEC.hidden) === 2) expect(value).toBeNaN()
      else expect(value).toBe(clean[i])
    }
  })
})
