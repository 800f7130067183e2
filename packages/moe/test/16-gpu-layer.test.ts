// A layer on a GPU beside the same layer on the CPU.

import type { Tensor } from '@deepgemm/core'
import { MoeLayer, type MoeLoadOptions, type NamedTensors } from '@deepgemm/moe'
import { Device } from '@deepgemm/runtime'
import type { CudaDevice } from '@deepgemm/runtime/cuda'
import { availableDevices, createRandom, globalError, normalArray } from '@deepgemm/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const gpus = (await availableDevices(Device)).filter(({ kind }) => kind === 'cuda')

const [EXPERTS, HIDDEN, INTERMEDIATE, SHARED] = [20, 512, 256, 128]
const OPTIONS: MoeLoadOptions = {
  topK: 4,
  gating: 'group-limited-sigmoid',
  groups: 4,
  topGroups: 2,
  scalingFactor: 2.5,
  maxTokens: 150,
  maxDecodeTokens: 18,
}
/** Of a token: an expert of nearly the same score may be selected instead. */
const MEAN_ERROR = 1e-4

function weightsOn(device: Device, dtype: 'bf16' | 'f32'): NamedTensors {
  const random = createRandom(3)
  const tensors = new Map<string, Tensor>()
  const add = (name: string, rows: number, columns: number): void => {
    const numbers = normalArray(random, rows * columns, 1 / Math.sqrt(columns))
    tensors.set(`mlp.${name}.weight`, device.tensor(numbers, { dtype, shape: [rows, columns] }))
  }
  const block = (name: string, width: number): void => {
    add(`${name}.gate_proj`, width, HIDDEN)
    add(`${name}.up_proj`, width, HIDDEN)
    add(`${name}.down_proj`, HIDDEN, width)
  }
  for (let e = 0; e < EXPERTS; e++) block(`experts.${e}`, INTERMEDIATE)
  block('shared_experts', SHARED)
  add('gate', EXPERTS, HIDDEN)
  return tensors
}

describe.skipIf(gpus.length === 0)('a layer on a GPU', () => {
  let gpu: Device
  let cpu: Device
  let mine: MoeLayer
  let theirs: MoeLayer

  beforeAll(async () => {
    gpu = await Device.open({ kind: 'cuda' })
    cpu = await Device.open({ kind: 'cpu' })
    const layers = [gpu, cpu].map(async (device) => {
      const weights = weightsOn(device, 'bf16')
      const layer = await MoeLayer.load(device, weights, 'mlp', OPTIONS)
      for (const weight of weights.values()) weight.dispose()
      return layer
    })
    ;[mine, theirs] = (await Promise.all(layers)) as [MoeLayer, MoeLayer]
  }, 120_000)

  afterAll(async () => {
    mine.dispose()
    await gpu.dispose()
    expect(gpu.memory().buffers).toEqual([])
    await cpu.dispose()
  })

  const tokensOn = (device: Device, count: number, seed: number): Tensor =>
    device.tensor(normalArray(createRandom(seed), count * HIDDEN), {
      dtype: 'bf16',
      shape: [count, HIDDEN],
    })

  async function outputs(layer: MoeLayer, count: number, seed: number): Promise<Float32Array> {
    const x = tokensOn(layer.device, count, seed)
    const y = layer.run(x)
    const numbers = await y.toFloat32Array()
    x.dispose()
    y.dispose()
    return numbers
  }

  it('computes what the CPU computes, for few tokens and for many', async () => {
    const errors: number[] = []
    for (const count of [1, 2, 5, 17, 18, 19, 64, 150]) {
      for (const seed of [1, 2]) {
        const [a, b] = [await outputs(mine, count, seed), await outputs(theirs, count, seed)]
        for (let at = 0; at < a.length; at += HIDDEN) {
          errors.push(globalError(a.subarray(at, at + HIDDEN), b.subarray(at, at + HIDDEN)))
        }
      }
    }
    const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length
    expect(mean).toBeLessThan(MEAN_ERROR)
  })

  it('follows the routing when a batch of the same size is replayed', async () => {
    const first: Float32Array[] = []
    for (const seed of [1, 2, 3, 4]) first.push(await outputs(mine, 18, seed))
    for (const [i, seed] of [1, 2, 3, 4].entries()) {
      expect(await outputs(mine, 18, seed)).toEqual(first[i])
    }
    const [a, b] = first as [Float32Array, Float32Array]
    expect(globalError(a, b)).toBeGreaterThan(0.1)
  })

  it('follows the routing of every run when nobody waits between them', async () => {
    const seeds = [1, 2, 3, 4]
    const tokens = seeds.map((seed) => tokensOn(gpu, 1, seed))
    const alone: Float32Array[] = []
    for (const seed of seeds) alone.push(await outputs(mine, 1, seed))
    const turns = Array.from({ length: 100 }, (_, i) => (i * 7 + (i >> 3)) % seeds.length)
    const enqueued = turns.map((turn) => mine.run(tokens[turn] as Tensor))
    for (const [i, turn] of turns.entries()) {
      expect(await (enqueued[i] as Tensor).toFloat32Array(), `run ${i}`).toEqual(alone[turn])
    }
    for (const each of [...tokens, ...enqueued]) each.dispose()
  })

  it('can be captured, and follows the input when the graph is launched again', async () => {
    for (const count of [5, 40]) {
      const x = tokensOn(gpu, count, 1)
      const out = gpu.zeros({ dtype: 'bf16', shape: x.shape })
      mine.run(x, { out }) // makes the workspace of the products
      const graph = (gpu as CudaDevice).capture((stream) => {
        mine.run(x, { out, stream })
      })
      for (const seed of [2, 3, 2]) {
        const other = tokensOn(gpu, count, seed)
        await x.storage.write(0, await other.toBytes())
        graph.launch()
        const replayed = await out.toBytes()
        mine.run(other, { out })
        expect(Buffer.compare(replayed, await out.toBytes())).toBe(0)
        other.dispose()
      }
      for (const each of [graph, x, out]) each.dispose()
    }
  })

  it('neither allocates nor waits in a run', async () => {
    const x = tokensOn(gpu, 9, 5)
    const out = gpu.zeros({ dtype: 'bf16', shape: x.shape })
    // The first runs make the workspace of the products, the second a graph.
    for (let i = 0; i < 3; i++) mine.run(x, { out })
    await gpu.synchronize()
    const before = gpu.memory().liveBytes
    for (let i = 0; i < 50; i++) mine.run(x, { out })
    expect(gpu.memory().liveBytes).toBe(before)
    await gpu.synchronize()
    x.dispose()
    out.dispose()
  })
})
