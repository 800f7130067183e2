// How grouped products reach a GPU: a fake driver stands in for one, so nothing is computed.

import { GroupError, LayoutError, RecipeError, ShapeError, type Tensor } from '@deepgemm/core'
import { SM90_ARGUMENTS as AT } from '@deepgemm/core/sm90'
import {
  groupedGemmContiguous,
  groupedGemmKGrouped,
  groupedGemmMasked,
  groupedGemmPacked,
  KGroupedTensor,
  planGroupedGemm,
} from '@deepgemm/moe'
import { allocateQuantized, type Device } from '@deepgemm/runtime'
import type { CudaStream } from '@deepgemm/runtime/cuda'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FakeCuda } from '../../runtime/test/support/fake-cuda.js'
import { useFakeGpu } from '../../runtime/test/support/fake-gpu.js'

const gpu = useFakeGpu()
let fake: FakeCuda
let device: Device
let owned: { dispose(): void }[] = []

beforeEach(() => {
  ;({ fake, device } = gpu)
})

afterEach(() => {
  for (const item of owned) item.dispose()
  owned = []
})

function own<T extends { dispose(): void }>(item: T): T {
  owned.push(item)
  return item
}

type Spec = Omit<Parameters<typeof allocateQuantized>[1], 'shape' | 'recipe'>

const tokens = (shape: readonly number[], spec: Spec = {}) =>
  own(allocateQuantized(device, { shape, recipe: '1x128', ...spec }))
const weights = (shape: readonly number[], spec: Spec = {}) =>
  own(allocateQuantized(device, { shape, recipe: '128x128', ...spec }))
const i32 = (...data: number[]): Tensor<'i32'> =>
  own(device.tensor(Int32Array.from(data), { dtype: 'i32', shape: [data.length] }))

/** A member of the arguments that the last kernel was given. */
function argument(name: Exclude<keyof typeof AT, 'bytes'>): number {
  const bytes = fake.lastArguments()
  expect(bytes).toHaveLength(AT.bytes)
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(AT[name], true)
}

/** Extents and bytes per row of a tensor map, as the fake driver was asked to encode it. */
function tensorMap(name: 'left' | 'right' | 'leftScales' | 'rightScales' | 'out') {
  const bytes = fake.lastArguments()
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const word = (i: number) => Number(view.getBigUint64(AT[name] + 8 * i, true))
  return { rank: (word(1) >> 8) & 0xff, extents: [word(2), word(3)], rowBytes: word(7) }
}

/** The bytes that a run gives its kernel. */
async function argumentsOf(run: () => void): Promise<Uint8Array> {
  run()
  await device.synchronize()
  return fake.lastArguments().slice()
}

const NO_MAP = { rank: 0 }

describe('a grouped product on a GPU', () => {
  it('of packed groups with few tokens has the weights on the left', async () => {
    own(await groupedGemmPacked(tokens([40, 256]), weights([3, 520, 256]), i32(0, 8, 8, 40)))
    expect([argument('leftExtent'), argument('rightExtent'), argument('k')]).toEqual([520, 40, 256])
    expect([argument('groups'), argument('groupRows')]).toEqual([3, 0])
    expect([argument('rightTiles'), argument('blockScaleStride')]).toEqual([0, 2])
    expect(tensorMap('left')).toEqual({ rank: 2, extents: [256, 3 * 520], rowBytes: 256 })
    expect(tensorMap('right')).toEqual({ rank: 2, extents: [256, 40], rowBytes: 256 })
    expect(tensorMap('leftScales')).toMatchObject(NO_MAP)
    expect(tensorMap('rightScales')).toEqual({ rank: 2, extents: [40, 2], rowBytes: 160 })
    // Tiles of tokens are seldom full: registers store them.
    expect(tensorMap('out')).toMatchObject(NO_MAP)
  })

  it('of contiguous groups stores full tiles in bulk', async () => {
    const index = new Int32Array(2048).fill(-1).fill(1, 0, 1500)
    own(await groupedGemmContiguous(tokens([2048, 512]), weights([2, 384, 512]), index))
    expect([argument('leftExtent'), argument('rightExtent')]).toEqual([2048, 384])
    // Which rows make a tile the GPU finds out.
    expect(argument('leftTiles')).toBe(0)
    expect(tensorMap('out')).toEqual({ rank: 2, extents: [384, 2048], rowBytes: 768 })
    expect(fake.lastLaunch()).toMatchObject({ programmatic: true })
  })

  it('of masked groups sees the slabs of all groups as one matrix', async () => {
    const a = tokens([4, 300, 2048])
    own(await groupedGemmMasked(a, weights([4, 2048, 2048]), i32(1, 2, 3, 4), { expectedM: 200 }))
    expect([argument('leftExtent'), argument('groupRows')]).toEqual([1200, 300])
    expect(tensorMap('left').extents).toEqual([2048, 1200])
    // Scales of a group are slabs of their own: 16 K blocks each.
    expect(tensorMap('leftScales')).toEqual({ rank: 2, extents: [300, 64], rowBytes: 1200 })
    expect(tensorMap('out').extents).toEqual([2048, 1200])
  })

  it('of slices of K reads both scales in bulk', async () => {
    const operand = (rows: number) =>
      own(
        new KGroupedTensor(
          device.zeros({ dtype: 'e4m3', shape: [rows, 400] }),
          device.zeros({ dtype: 'f32', shape: [5, rows] }),
        ),
      )
    own(await groupedGemmKGrouped(operand(136), operand(264), i32(130, 0, 257)))
    expect([argument('leftExtent'), argument('rightExtent'), argument('k')]).toEqual([
      136, 264, 400,
    ])
    expect([argument('groups'), argument('groupRows')]).toEqual([3, 136])
    expect(tensorMap('leftScales')).toEqual({ rank: 2, extents: [136, 5], rowBytes: 544 })
    expect(tensorMap('rightScales')).toEqual({ rank: 2, extents: [264, 5], rowBytes: 1056 })
  })

  it('takes its kernel by the rows that are expected, not by those there is room for', async () => {
    const [a, b] = [tokens([4, 512, 2048]), weights([4, 1024, 2048])]
    const sizes = i32(1, 1, 1, 1)
    own(await groupedGemmMasked(a, b, sizes, { expectedM: 4 }))
    expect(argument('leftExtent')).toBe(1024)
    own(await groupedGemmMasked(a, b, sizes, { expectedM: 500 }))
    expect(argument('leftExtent')).toBe(4 * 512)
  })

  it('copies scales that are in another form', async () => {
    const a = tokens([40, 256], { orientation: 'k-major' })
    const b = weights([2, 128, 256], { scaleDType: 'ue8m0' })
    own(await groupedGemmPacked(a, b, Int32Array.of(0, 8, 40)))
    expect(tensorMap('rightScales')).toEqual({ rank: 2, extents: [40, 2], rowBytes: 160 })
    expect(fake.calls()['cuLaunchKernelEx']).toBe(3)
  })

  it('is refused where the kernels cannot do it', async () => {
    const offsets = Int32Array.of(0, 40)
    const packed = (k: number, n: number, b = weights([1, n, k])) =>
      groupedGemmPacked(tokens([40, k]), b, offsets)
    await expect(packed(200, 128)).rejects.toThrow(ShapeError)
    await expect(packed(256, 129)).rejects.toThrow(ShapeError)
    const gradient = own(allocateQuantized(device, { shape: [1, 128, 256], recipe: '1x128' }))
    await expect(packed(256, 128, gradient)).rejects.toThrow(RecipeError)
    const shifted = own(device.zeros({ dtype: 'bf16', shape: [41, 136] }))
    const out = shifted.slice(0, 0, 40).slice(1, 4, 132)
    const call = groupedGemmPacked(tokens([40, 256]), weights([1, 128, 256]), offsets, { out })
    await expect(call).rejects.toThrow(LayoutError)
    expect(fake.lastLaunch()).toBeUndefined()
  })
})

describe('a plan of grouped products on a GPU', () => {
  const spec = { layout: 'packed', groups: 2, n: 256, k: 256, m: { max: 2000 } } as const

  it('compiles all its configs and runs without compiling', async () => {
    const [n, k] = [2048, 1024]
    const plan = await planGroupedGemm(device, { ...spec, n, k })
    expect(plan.configs.length).toBeGreaterThan(1)
    const { cuModuleLoadData: loads } = fake.calls()
    for (const rows of [1, 300, 2000]) {
      const [a, b, groups] = [tokens([rows, k]), weights([2, n, k]), i32(0, 1, rows)]
      const out = own(device.zeros({ dtype: 'bf16', shape: [rows, n] }))
      plan.run({ a, b, out, groups })
      await device.synchronize()
      expect([argument('leftExtent'), argument('rightExtent')]).toContain(rows)
    }
    expect(fake.calls()['cuModuleLoadData']).toBe(loads)
  })

  it('tells the kernel when nothing writes the group data any more', async () => {
    const plan = await planGroupedGemm(device, spec)
    const [a, b, groups] = [tokens([2, 256]), weights([2, 256, 256]), i32(0, 1, 2)]
    const run = { a, b, groups, out: own(device.zeros({ dtype: 'bf16', shape: [2, 256] })) }
    for (const groupsReady of [false, true]) {
      plan.run({ ...run, groupsReady })
      await device.synchronize()
      expect(argument('weightsReady')).toBe(Number(groupsReady))
    }
  })

  it.each([
    ['packed', [0, 30, 40], [40, 256], 40],
    ['packed', [0, 900, 2000], [2000, 256], 2000],
    ['masked', [5, 9], [2, 40, 256], 40],
  ] as const)(
    'of %s groups points an earlier launch at other tensors',
    async (layout, data, shape, max) => {
      const plan = await planGroupedGemm(device, { ...spec, layout, m: { max } })
      const seen: Uint8Array[] = []
      for (let i = 0; i < 2; i++) {
        const [a, b, groups] = [tokens(shape), weights([2, 256, 256]), i32(...data)]
        const out = own(device.zeros({ dtype: 'bf16', shape: [...shape.slice(0, -1), 256] }))
        const first = argumentsOf(() => plan.run({ a, b, out, groups }))
        const other = await planGroupedGemm(device, { ...spec, layout, m: { max } })
        // A plan that has run nothing yet packs everything anew.
        expect(await first).toEqual(await argumentsOf(() => other.run({ a, b, out, groups })))
        seen.push(await first)
      }
      expect(seen[0]).not.toEqual(seen[1])
    },
  )

  it('of masked groups needs a single kernel, for the rows that it is told to expect', async () => {
    const plan = await planGroupedGemm(device, { ...spec, layout: 'masked', expectedM: 9 })
    expect(plan.configs).toHaveLength(1)
  })

  it('checks group data where it is asked to, and reports the first bad place once', async () => {
    const plan = await planGroupedGemm(device, { ...spec, validate: true })
    const [a, b, groups] = [tokens([9, 256]), weights([2, 256, 256]), i32(0, 11, 9)]
    const out = own(device.zeros({ dtype: 'bf16', shape: [9, 256] }))
    const stream = device.defaultStream as CudaStream
    plan.run({ a, b, out, groups })
    expect(fake.calls()['cuLaunchKernelEx']).toBe(2)
    // What the kernel would have found: the value 11 at place 1.
    const report = stream.workspace('check of packed groups', 12)
    await report.storage.write(0, new Uint8Array(Int32Array.of(2, 11, 0).buffer))
    const failure = stream.synchronize()
    await expect(failure).rejects.toThrow(GroupError)
    await expect(failure).rejects.toThrow('groupOffsets[1] is out of range: given 11')
    plan.run({ a, b, out, groups })
    await stream.synchronize()
  })
})
