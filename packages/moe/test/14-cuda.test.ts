// How operations reach a GPU: a fake driver stands in for one, so nothing is computed.

import type { Tensor } from '@deepgemm/core'
import {
  combine,
  MoeLayer,
  permute,
  planPermutation,
  route,
  swiglu,
  swigluQuantize,
} from '@deepgemm/moe'
import { allocateQuantized, type Device } from '@deepgemm/runtime'
import type { CudaDevice } from '@deepgemm/runtime/cuda'
import { beforeEach, describe, expect, it } from 'vitest'
import type { FakeCuda } from '../../runtime/test/support/fake-cuda.js'
import { useFakeGpu } from '../../runtime/test/support/fake-gpu.js'

const gpu = useFakeGpu()
let fake: FakeCuda
let device: Device

beforeEach(() => {
  ;({ fake, device } = gpu)
})

const zeros = <D extends 'f32' | 'bf16' | 'i32'>(dtype: D, ...shape: number[]): Tensor<D> =>
  device.zeros({ dtype, shape })

/** The 4-byte numbers of the last launch's arguments from `at` on. */
function numbers(bytes: number, at: number): number[] {
  const given = fake.lastArguments()
  expect(given).toHaveLength(bytes)
  const view = new DataView(given.buffer, given.byteOffset)
  return Array.from({ length: (bytes - at) / 4 }, (_, i) => view.getUint32(at + 4 * i, true))
}

/** The 8-byte numbers from `at` on. */
function strides(at: number, count: number): number[] {
  const given = fake.lastArguments()
  const view = new DataView(given.buffer, given.byteOffset)
  return Array.from({ length: count }, (_, i) => Number(view.getBigInt64(at + 8 * i, true)))
}

describe('on a GPU', () => {
  it('routing gives a warp to every token', async () => {
    using logits = zeros('f32', 9, 256)
    const bias = new Float32Array(256)
    const gating = 'group-limited-sigmoid'
    using routing = await route(logits, { topK: 8, gating, bias, groups: 8, topGroups: 4 })
    expect(routing.indices.shape).toEqual([9, 8])
    expect(fake.lastLaunch()).toMatchObject({ grid: [3, 1, 1], block: [128, 1, 1] })
    expect(strides(32, 1)).toEqual([256])
    expect(numbers(72, 44)).toEqual([1, 9, 256, 8, 8, 32, 4])
  })

  it('a permutation is planned by one block, which reports what is wrong', async () => {
    using indices = zeros('i32', 5, 2)
    using plan = await planPermutation(indices, { layout: 'contiguous', experts: 300 })
    expect(plan.rows).toBe(10 * 128)
    const shared = 4 * (36 * 512 + 32 + 2)
    const launch = { grid: [1, 1, 1], block: [1024, 1, 1], sharedBytes: shared }
    expect(fake.lastLaunch()).toMatchObject(launch)
    expect(numbers(72, 48)).toEqual([10, 300, 128, 0, 1280, 0])
    using masked = await planPermutation(indices, { layout: 'masked', experts: 4, maxRows: 3 })
    expect(masked.rows).toBe(12)
    expect(numbers(72, 48)).toEqual([10, 4, 1, 3, 12, 1])
  })

  it('tokens are copied in pieces, to scales as the product reads them', async () => {
    using indices = zeros('i32', 5, 2)
    using tokens = allocateQuantized(device, { shape: [5, 2080], recipe: '1x128' })
    using masked = await planPermutation(indices, { layout: 'masked', experts: 3, maxRows: 6 })
    using permuted = await permute(tokens, masked)
    expect(permuted.scales.orientation).toBe('mn-major')
    expect(fake.lastLaunch()).toMatchObject({ grid: [5, 2, 1], block: [128, 1, 1] })
    expect(strides(48, 7)).toEqual([2080, 2080, 1, 8, 17 * 8, 1, 8])
    expect(numbers(128, 104)).toEqual([5, 2, 2080, 18, 6, 0])
    using contiguous = await planPermutation(indices, { layout: 'contiguous', experts: 3 })
    using padded = await permute(tokens, contiguous)
    expect(padded.shape).toEqual([contiguous.rows, 2080])
    expect(fake.lastLaunch()).toMatchObject({ grid: [5 + contiguous.rows, 2, 1] })
  })

  it('activations are computed where rows hold data', async () => {
    using x = zeros('bf16', 3, 40, 1040)
    using sizes = zeros('i32', 3)
    const groups = { layout: 'masked', groups: sizes } as const
    using q = await swigluQuantize(x, { groups })
    expect(q.shape).toEqual([3, 40, 520])
    expect(fake.lastLaunch()).toMatchObject({ grid: [4, 2, 1], block: [256, 1, 1] })
    expect(strides(56, 5)).toEqual([1040, 520, 5 * 40, 1, 40])
    expect(numbers(104, 48).slice(0, 2)).toEqual([120, 40])
    expect(numbers(104, 96)).toEqual([520, 0])
    using y = await swiglu(x, { groups })
    expect(y.shape).toEqual([3, 40, 520])
    expect(fake.lastLaunch()).toMatchObject({ grid: [120, 1, 1], block: [128, 1, 1] })
  })

  it('rows are combined with the addend or without', async () => {
    using indices = zeros('i32', 5, 2)
    using plan = await planPermutation(indices, { layout: 'packed', experts: 3 })
    using rows = zeros('bf16', 10, 1040)
    using weights = zeros('f32', 5, 2)
    using addend = zeros('f32', 5, 1040)
    using y = await combine(rows, plan, weights, { addend })
    expect(y.dtype).toBe('bf16')
    expect(fake.lastLaunch()).toMatchObject({ grid: [5, 2, 1], block: [128, 1, 1] })
    expect(strides(40, 3)).toEqual([1040, 1040, 1040])
    expect(numbers(80, 64)).toEqual([5, 2, 1040, 10])
    using plain = await combine(rows, plan, weights)
    expect(strides(24, 1)).toEqual([0])
    expect(plain.shape).toEqual([5, 1040])
  })

  it('nothing is launched for no tokens', async () => {
    using logits = zeros('f32', 0, 8)
    using routing = await route(logits, { topK: 2 })
    expect(routing.indices.shape).toEqual([0, 2])
    using x = zeros('bf16', 0, 32)
    using q = await swigluQuantize(x)
    expect(q.shape).toEqual([0, 16])
    expect(fake.lastLaunch()).toBeUndefined()
  })
})

describe('a layer on a GPU', () => {
  type Weights = Parameters<typeof MoeLayer.create>[1]

  /** 12 experts: the router's product has 16 columns. */
  function weightsOf(): Pick<Weights, 'experts' | 'shared' | 'router'> & Disposable {
    const quantized = (recipe: '128x128' | '1x128', ...shape: number[]) =>
      allocateQuantized(device, { shape, recipe })
    const experts = {
      gateUp: quantized('128x128', 12, 256, 256),
      down: quantized('128x128', 12, 256, 128),
    }
    const shared = { gateUp: quantized('128x128', 256, 256), down: quantized('128x128', 256, 128) }
    const router = quantized('1x128', 12, 256)
    const all = [experts.gateUp, experts.down, shared.gateUp, shared.down, router]
    const dispose = () => {
      for (const each of all) each.dispose()
    }
    return { experts, shared, router, [Symbol.dispose]: dispose }
  }

  it('replays small batches as graphs and enqueues large ones', async () => {
    using weights = weightsOf()
    const { experts, shared, router } = weights
    const options = { experts, shared, router, topK: 2, maxTokens: 140, maxDecodeTokens: 4 }
    using layer = await MoeLayer.create(device, options as Weights)
    using x = zeros('bf16', 140, 256)
    using out = zeros('bf16', 140, 256)
    const run = (count: number): void => {
      layer.run(x.slice(0, 0, count), { out: out.slice(0, 0, count) })
    }
    const launches = (work: () => void): number[] => {
      const names = ['cuGraphLaunch', 'cuLaunchKernelEx']
      const before = names.map((name) => fake.calls()[name] ?? 0)
      work()
      return names.map((name, i) => (fake.calls()[name] ?? 0) - (before[i] as number))
    }
    // Cast, router, selection, plan, copies, three kernels of the experts, three of the shared ones, sum.
    expect(launches(() => run(140))).toEqual([0, 12])
    // What lies between the cast and the sum is captured the second time.
    run(140)
    expect(launches(() => run(140))).toEqual([1, 2])
    await device.synchronize()
    expect(numbers(80, 64)).toEqual([140, 2, 256, 280])
    // Selection and plan are one kernel. A small run is captured whole.
    expect(launches(() => run(3))).toEqual([0, 11])
    run(3)
    expect(launches(() => run(3))).toEqual([1, 0])
    // On other memory the same number of tokens repeats in part, which is captured now.
    using other = zeros('bf16', 3, 256)
    const elsewhere = (): void => {
      layer.run(other, { out: out.slice(0, 0, 3) })
    }
    expect(launches(elsewhere)).toEqual([1, 2 + 9])
    const [before, modules] = [device.memory().liveBytes, fake.calls()['cuModuleLoadData']]
    for (let i = 0; i < 5; i++) run(3)
    for (let i = 0; i < 5; i++) run(140)
    expect(fake.calls()['cuModuleLoadData']).toBe(modules)
    expect(device.memory().liveBytes).toBe(before)
    await device.synchronize()
  })

  it('becomes part of the graph that captures it', async () => {
    using weights = weightsOf()
    const { experts, shared, router } = weights
    const options = { experts, shared, router, topK: 2, maxTokens: 8 }
    using layer = await MoeLayer.create(device, options as Weights)
    using x = zeros('bf16', 3, 256)
    using out = zeros('bf16', 3, 256)
    layer.run(x, { out })
    const calls = fake.calls()['cuGraphLaunch'] ?? 0
    using graph = (device as CudaDevice).capture((stream) => {
      layer.run(x, { out, stream })
      layer.run(x, { out, stream })
    })
    expect(fake.calls()['cuGraphLaunch'] ?? 0).toBe(calls)
    // Cast, router, selection with plan, copies, three kernels of each block of experts, sum.
    expect(graph.kernels).toHaveLength(2 * 11)
    graph.launch()
    await device.synchronize()
  })

  it('takes logits instead of a router, and extents that a GPU multiplies', async () => {
    using weights = weightsOf()
    const { experts } = weights
    using layer = await MoeLayer.create(device, { experts, topK: 2, maxTokens: 8 })
    using x = zeros('f32', 5, 256)
    using logits = zeros('bf16', 5, 12)
    using y = layer.run(x, { logits })
    using again = layer.run(x, { logits })
    expect([y.shape, again.dtype]).toEqual([[5, 256], 'bf16'])
    using gateUp = allocateQuantized(device, { shape: [2, 256, 200], recipe: '128x128' })
    using down = allocateQuantized(device, { shape: [2, 200, 128], recipe: '128x128' })
    const odd = { experts: { gateUp, down }, topK: 1, maxTokens: 8 }
    await expect(MoeLayer.create(device, odd)).rejects.toThrow(/multiple of 16/)
  })
})
