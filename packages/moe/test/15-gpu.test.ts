// A GPU against the CPU, bit for bit where both compute the same roundings: routing, permutations
// and combination. What the products and the activation do is compared with float64 elsewhere.

import { denseProblem, type Tensor } from '@deepgemm/core'
import {
  combine,
  type GatingKind,
  type Permutation,
  permute,
  planPermutation,
  type RouteOptions,
  route,
  swigluQuantize,
} from '@deepgemm/moe'
import { Device } from '@deepgemm/runtime'
import type { CudaDevice, CudaStream } from '@deepgemm/runtime/cuda'
import {
  availableDevices,
  createRandom,
  download,
  expertIndices,
  globalError,
  normalArray,
  randomQuantized,
  upload,
} from '@deepgemm/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { enqueueDense, enqueueFewLogits } from '../src/backend.js'
import { prepareKernels } from '../src/cuda/kernel.js'
import { logitsKernel } from '../src/cuda/logits.js'
import { enqueueCudaSelect, selectKernel } from '../src/cuda/select.js'
import { disposeAll } from './support/dispose.js'

const gpus = (await availableDevices(Device)).filter(({ kind }) => kind === 'cuda')

const ROUTINGS = [
  { experts: 8, topK: 2, groups: 1, topGroups: 1 },
  { experts: 60, topK: 4, groups: 4, topGroups: 3 },
  { experts: 160, topK: 6, groups: 8, topGroups: 3 },
  { experts: 256, topK: 8, groups: 8, topGroups: 4 },
  { experts: 512, topK: 16, groups: 512, topGroups: 100 },
  { experts: 2048, topK: 64, groups: 2, topGroups: 1 },
] as const

const LAYOUTS = ['packed', 'contiguous', 'masked'] as const

describe.skipIf(gpus.length === 0)('a GPU and the CPU', () => {
  let gpu: Device
  let cpu: Device

  beforeAll(async () => {
    gpu = await Device.open({ kind: 'cuda' })
    cpu = await Device.open({ kind: 'cpu' })
  })

  afterAll(async () => {
    await gpu.dispose()
    expect(gpu.memory().buffers).toEqual([])
    await cpu.dispose()
  })

  /** Runs `make` on both devices and expects the same bytes of everything it returns. */
  async function same(make: (device: Device) => Promise<readonly Tensor[]>): Promise<void> {
    const [mine, theirs] = [await make(gpu), await make(cpu)]
    for (const [i, tensor] of mine.entries()) {
      const other = theirs[i] as Tensor
      expect(Buffer.compare(await tensor.toBytes(), await other.toBytes()), `result ${i}`).toBe(0)
    }
    disposeAll(...mine, ...theirs)
  }

  function logitsOf(seed: number, count: number, isOdd: boolean): Float32Array<ArrayBuffer> {
    const random = createRandom(seed)
    const numbers = normalArray(random, count, 3)
    // Many ties, and numbers at the ends of the range.
    for (let i = 0; i < count; i += 3) numbers[i] = Math.round(numbers[i] as number)
    const odd = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0, 1e38, -100, 1e-40]
    if (isOdd) for (let i = 0; i < count; i += 7) numbers[i] = odd[random.integer(0, 6)] as number
    return numbers
  }

  describe.each(ROUTINGS)('route $experts experts', ({ experts, topK, groups, topGroups }) => {
    it.each<GatingKind>(['softmax', 'group-limited-sigmoid'])('alike by %s', async (gating) => {
      const sigmoid = gating !== 'softmax'
      const bias = normalArray(createRandom(experts), experts, 0.1)
      for (const [seed, dtype] of (['f32', 'bf16', 'f16'] as const).entries()) {
        for (const tokens of [1, 7, 130]) {
          // Of infinite logits softmax makes NaN, whose bits devices choose.
          const numbers = logitsOf(seed + tokens, tokens * experts, sigmoid)
          const options: RouteOptions = {
            topK,
            gating,
            scalingFactor: 2.5,
            normalize: tokens !== 7,
            ...(sigmoid && { groups, topGroups, ...(tokens !== 1 && { bias }) }),
          }
          await same(async (device) => {
            const logits = device.tensor(numbers, { dtype, shape: [tokens, experts] })
            const { indices, weights } = await route(logits, options)
            logits.dispose()
            return [indices, weights]
          })
        }
      }
    })
  })

  function bytesOf(array: ArrayBufferView): Uint8Array {
    return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
  }

  type Slots = { readonly tokens: number; readonly topK: number; readonly experts: number }

  function indicesOf(seed: number, spec: Slots): Int32Array<ArrayBuffer> {
    const indices = expertIndices(seed, spec)
    const random = createRandom(seed)
    if (seed % 4 === 1) indices.fill(random.integer(0, spec.experts - 1))
    if (seed % 4 === 2) for (let i = 0; i < indices.length; i += 3) indices[i] = -1
    if (seed % 4 === 3) indices.fill(-1, indices.length >> 1)
    return indices
  }

  async function planOn(
    device: Device,
    values: Int32Array<ArrayBuffer>,
    { tokens, topK, experts }: Slots,
    layout: Permutation['layout'],
  ): Promise<Permutation> {
    const indices = device.tensor(values, { dtype: 'i32', shape: [tokens, topK] })
    const counts = new Array<number>(experts).fill(0)
    for (const expert of values) if (expert >= 0) counts[expert] = (counts[expert] as number) + 1
    const maxRows = layout === 'masked' ? { maxRows: Math.max(...counts) } : {}
    const plan = await planPermutation(indices, { layout, experts, ...maxRows })
    indices.dispose()
    return plan
  }

  describe.each(LAYOUTS)('permute alike in the %s layout', (layout) => {
    it.each([
      { tokens: 1, topK: 8, experts: 256 },
      { tokens: 16, topK: 8, experts: 256 },
      { tokens: 300, topK: 3, experts: 7 },
      { tokens: 4096, topK: 8, experts: 256 },
      { tokens: 1500, topK: 8, experts: 2000 },
    ])('$tokens tokens to $topK of $experts experts', async (spec) => {
      for (const seed of [0, 1, 2, 3]) {
        const values = indicesOf(seed, spec)
        await same(async (device) => {
          const plan = await planOn(device, values, spec, layout)
          return [plan.destination, plan.counts, plan.groups]
        })
      }
    })

    it('tokens with their scales', async () => {
      const spec = { tokens: 150, topK: 4, experts: 9 }
      for (const [seed, cols] of [128, 2080, 77].entries()) {
        for (const scaleDType of ['f32', 'ue8m0'] as const) {
          const form = { rows: spec.tokens, cols, recipe: '1x128', scaleDType } as const
          const host = randomQuantized(seed, form)
          const values = indicesOf(seed, spec)
          const [mine, theirs] = await Promise.all(
            [gpu, cpu].map(async (device) => {
              const plan = await planOn(device, values, spec, layout)
              const source = upload(device, host, seed % 2 === 0 ? 'mn-major' : 'k-major')
              const permuted = await permute(source, plan)
              const parts = await download(permuted)
              disposeAll(plan, source, permuted)
              return parts
            }),
          )
          expect(mine?.length).toBe(theirs?.length)
          for (const [i, part] of (mine ?? []).entries()) {
            const other = theirs?.[i] as typeof part
            expect(Buffer.compare(part.codes, other.codes)).toBe(0)
            expect(Buffer.compare(bytesOf(part.grid), bytesOf(other.grid))).toBe(0)
          }
        }
      }
    })

    it('and combine to the same bits', async () => {
      const spec = { tokens: 50, topK: 6, experts: 9 }
      const numbers = normalArray(createRandom(9), 9 * 300 * 1032)
      for (const [seed, columns] of [1032, 130, 64].entries()) {
        const values = indicesOf(seed, spec)
        const random = createRandom(seed)
        const weights = normalArray(random, spec.tokens * spec.topK)
        const addends = normalArray(random, spec.tokens * columns)
        for (const [dtype, outDType] of [
          ['bf16', 'bf16'],
          ['f32', 'f16'],
          ['f16', 'f32'],
        ] as const) {
          await same(async (device) => {
            const plan = await planOn(device, values, spec, layout)
            const shape = layout === 'masked' ? [9, plan.maxRows, columns] : [plan.rows, columns]
            const rows = device.tensor(numbers.slice(0, plan.rows * columns), {
              dtype,
              shape,
            })
            const [tokens, topK] = plan.destination.shape as readonly [number, number]
            const w = device.tensor(weights, { dtype: 'f32', shape: [tokens, topK] })
            const addend = device.tensor(addends, { dtype: 'bf16', shape: [tokens, columns] })
            const y = await combine(rows, plan, w, { outDType, addend })
            const z = await combine(rows, plan, w, { outDType })
            disposeAll(plan, rows, w, addend)
            return [y, z]
          })
        }
      }
    })
  })

  it('select and plan at once what they do one by one', async () => {
    for (const [seed, { experts, topK, groups, topGroups }] of ROUTINGS.slice(0, 5).entries()) {
      for (const tokens of [1, 5, 8]) {
        const gating = seed % 2 === 0 ? 'group-limited-sigmoid' : 'softmax'
        const limits = gating === 'softmax' ? {} : { groups, topGroups }
        const numbers = logitsOf(seed, tokens * experts, false)
        const shape = [tokens, experts]
        using theirs = cpu.tensor(numbers, { dtype: 'f32', shape })
        using routing = await route(theirs, { topK, gating, ...limits })
        const layout = { layout: 'masked', experts, maxRows: tokens } as const
        using plan = await planPermutation(routing.indices, layout)
        const int32 = (...extents: number[]): Tensor<'i32'> =>
          gpu.zeros({ dtype: 'i32', shape: extents })
        using logits = gpu.tensor(numbers, { dtype: 'f32', shape })
        using indices = int32(tokens, topK)
        using weights = gpu.zeros({ dtype: 'f32', shape: [tokens, topK] })
        using destination = int32(tokens, topK)
        using counts = int32(experts)
        await prepareKernels(gpu as CudaDevice, [selectKernel({ gating, experts, dtype: 'f32' })])
        const common = { groups: 1, topGroups: 1, ...limits, normalize: true, scalingFactor: 1 }
        enqueueCudaSelect(
          gpu.defaultStream as CudaStream,
          { logits, topK, gating, ...common, bias: undefined, indices, weights },
          {
            ...{ indices, experts, layout: 'masked', alignment: 1, maxRows: tokens },
            ...{ rowCapacity: experts * tokens, counts, offsets: undefined, destination },
            groupIndex: undefined,
          },
        )
        const [mine, own] = [
          [indices, weights, destination, counts],
          [routing, plan],
        ] as const
        const [routed, planned] = own
        const expected = [routed.indices, routed.weights, planned.destination, planned.counts]
        for (const [i, tensor] of mine.entries()) {
          const bytes = await (expected[i] as Tensor).toBytes()
          expect(Buffer.compare(await tensor.toBytes(), bytes), `result ${i}`).toBe(0)
        }
      }
    }
  })

  it('agree on the logits of few tokens', async () => {
    await prepareKernels(gpu as CudaDevice, [logitsKernel()])
    const shapes = [
      [1, 256, 7168],
      [7, 12, 272],
      [16, 40, 1024],
      [100, 256, 7168],
    ] as const
    for (const [seed, [tokens, experts, cols]] of shapes.entries()) {
      for (const recipe of ['1x128', '128x128'] as const) {
        const host = [
          randomQuantized(seed, { rows: tokens, cols, recipe: '1x128', scaleDType: 'f32' }),
          randomQuantized(~seed, { rows: experts, cols, recipe, scaleDType: 'f32' }),
        ] as const
        const [mine, theirs] = await Promise.all(
          [gpu, cpu].map(async (device) => {
            const a = upload(device, host[0], 'mn-major')
            const b = upload(device, host[1], recipe === '1x128' ? 'mn-major' : 'k-major')
            const logits = device.zeros({ dtype: 'f32', shape: [tokens, experts] })
            if (device === gpu) {
              enqueueFewLogits(device.defaultStream, { tokens: a, router: b, logits })
            } else {
              const problem = denseProblem('NT', a, b, { out: 'f32', accumulate: false })
              enqueueDense(device.defaultStream, problem, { a, b, out: logits })
            }
            const numbers = await logits.toFloat32Array()
            disposeAll(a, b, logits)
            return numbers
          }),
        )
        expect(globalError(mine as Float32Array, theirs as Float32Array)).toBeLessThan(1e-7)
      }
    }
  })

  it('quantise activations to codes that are at most one step apart', async () => {
    for (const [seed, columns] of [2048, 520, 100].entries()) {
      const numbers = normalArray(createRandom(seed), 90 * 2 * columns, 2)
      const [mine, theirs] = await Promise.all(
        [gpu, cpu].map(async (device) => {
          const x = device.tensor(numbers, { dtype: 'bf16', shape: [90, 2 * columns] })
          const q = await swigluQuantize(x)
          const [part] = await download(q)
          disposeAll(x, q)
          return part as NonNullable<typeof part>
        }),
      )
      const [a, b] = [mine, theirs] as [NonNullable<typeof mine>, NonNullable<typeof mine>]
      let apart = 0
      for (const [i, code] of a.codes.entries()) {
        if (code === b.codes[i]) continue
        apart += 1
        expect(Math.abs(code - (b.codes[i] as number))).toBe(1)
      }
      expect(apart).toBeLessThan(a.codes.length * 1e-3)
      for (const [i, scale] of (a.grid as Float32Array).entries()) {
        const other = (b.grid as Float32Array)[i] as number
        expect(Math.abs(scale - other)).toBeLessThanOrEqual(16 * 2 ** -24 * other)
      }
    }
  })
})
