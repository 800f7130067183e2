import { isAbsolute, join } from 'node:path'
import { configName, LayoutError, ShapeError } from '@deepgemm/core'
import { SM90_ARGUMENTS as AT } from '@deepgemm/core/sm90'
import { fp8GemmNT, type GemmProgress, planGemm } from '@deepgemm/dense'
import { allocateQuantized, type Device } from '@deepgemm/runtime'
import { openNvrtc } from '@deepgemm/runtime/cuda'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { FakeCuda } from '../../runtime/test/support/fake-cuda.js'
import { useFakeGpu } from '../../runtime/test/support/fake-gpu.js'

const gpu = useFakeGpu()
let fake: FakeCuda
let device: Device

/** The machine's own NVRTC, before the fake one takes its place. */
const nvrtc = ((): string | undefined => {
  try {
    return openNvrtc().path
  } catch {
    return undefined
  }
})()

beforeEach(() => {
  ;({ fake, device } = gpu)
})

type Change = Partial<Parameters<typeof allocateQuantized>[1]>

function operands(m: number, n: number, k: number, a: Change = {}, b: Change = {}) {
  return {
    a: allocateQuantized(device, { shape: [m, k], recipe: '1x128', label: 'A', ...a }),
    b: allocateQuantized(device, { shape: [n, k], recipe: '128x128', label: 'B', ...b }),
  }
}

function freed(...owned: readonly { dispose(): void }[]): void {
  for (const item of owned) item.dispose()
}

/** A member of the arguments that the last kernel was given. */
function argument(name: Exclude<keyof typeof AT, 'bytes'>): number {
  const bytes = fake.lastArguments()
  expect(bytes).toHaveLength(AT.bytes)
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return view.getUint32(AT[name], true)
}

type MapName = 'left' | 'right' | 'leftScales' | 'rightScales' | 'out'

/** What the fake driver was asked to encode. Types: 0 u8, 7 f32, 9 bf16; the promotion's 2 is 128 B. */
function tensorMap(name: MapName) {
  const bytes = fake.lastArguments()
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const word = (i: number) => Number(view.getBigUint64(AT[name] + 8 * i, true))
  const box = (i: number) => view.getUint32(AT[name] + 8 * (11 + i), true)
  const [type, rank, swizzle, promotion] = [0, 8, 16, 24].map((bit) => (word(1) >> bit) & 0xff)
  const extents = [word(2), word(3)]
  return { type, rank, swizzle, promotion, extents, rowBytes: word(7), box: [box(0), box(1)] }
}

/** Whether a pointer among the arguments is null. */
function isNull(name: 'blockScales' | 'directOut' | 'partials' | 'partialFlags'): boolean {
  const bytes = fake.lastArguments()
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(AT[name], true) === 0n
}

describe('a product on a GPU', () => {
  it('launches its kernel with the operands’ extents and scales', async () => {
    const { a, b } = operands(16, 512, 1024)
    const d = await fp8GemmNT(a, b)
    expect(d.shape).toEqual([16, 512])
    // Few tokens: the weights are the left operand.
    expect([argument('leftExtent'), argument('rightExtent'), argument('k')]).toEqual([
      512, 16, 1024,
    ])
    expect(argument('blockScaleStride')).toBe(8)
    expect(argument('outStride')).toBe(512)
    const launch = fake.lastLaunch()
    expect(launch).toMatchObject({ clusterBlocks: 1, programmatic: true })
    expect(launch?.grid).toEqual([argument('workers'), 1, 1])
    freed(a, b, d)
  })

  it('of many rows runs in clusters, with A on the left', async () => {
    const { a, b } = operands(2048, 2048, 512)
    const d = await fp8GemmNT(a, b)
    expect([argument('leftExtent'), argument('rightExtent')]).toEqual([2048, 2048])
    const launch = fake.lastLaunch()
    expect(launch?.grid).toEqual([argument('workers') * (launch?.clusterBlocks ?? 0), 1, 1])
    freed(a, b, d)
  })

  it('describes operands, scales and output to the copy engine', async () => {
    const { a, b } = operands(16, 512, 1024)
    const d = await fp8GemmNT(a, b)
    const map = { rank: 2, promotion: 2 }
    const values = { ...map, type: 0, swizzle: 3, rowBytes: 1024 }
    const [left, right] = [tensorMap('left'), tensorMap('right')]
    expect(left).toMatchObject({ ...values, extents: [1024, 512] })
    expect(right).toMatchObject({ ...values, extents: [1024, 16] })
    expect([left.box[0], right.box[0]]).toEqual([128, 128])
    const [blockLeft, blockRight] = [left.box[1] as number, right.box[1] as number]
    expect(argument('leftTiles')).toBe(Math.ceil(512 / blockLeft))
    expect(argument('rightTiles')).toBe(Math.ceil(16 / blockRight))
    const scales = { ...map, type: 7, swizzle: 0, extents: [16, 8], rowBytes: 64 }
    expect(tensorMap('rightScales')).toEqual({ ...scales, box: [blockRight, 1] })
    expect(tensorMap('leftScales').rank).toBe(0)
    const out = { ...map, type: 9, swizzle: 3, extents: [512, 16], rowBytes: 1024 }
    expect(tensorMap('out')).toEqual({ ...out, box: [64, blockRight] })
    expect([isNull('blockScales'), isNull('directOut')]).toEqual([false, false])
    const isWhole = argument('streamedTiles') === 0
    expect([isNull('partials'), isNull('partialFlags')]).toEqual([isWhole, isWhole])
    freed(a, b, d)
  })

  it('of two 1x128 operands reads both scales through the copy engine', async () => {
    const { a, b } = operands(300, 520, 1040, {}, { recipe: '1x128' })
    const d = await fp8GemmNT(a, b, { outDType: 'f32' })
    const scales = { type: 7, swizzle: 0, rank: 2 }
    expect(tensorMap('leftScales')).toMatchObject({ ...scales, extents: [300, 9], rowBytes: 1200 })
    expect(tensorMap('rightScales')).toMatchObject({ ...scales, extents: [520, 9], rowBytes: 2080 })
    expect(tensorMap('out')).toMatchObject({ type: 7, extents: [520, 300], rowBytes: 2080 })
    expect([isNull('blockScales'), argument('blockScaleStride')]).toEqual([true, 0])
    freed(a, b, d)
  })

  it('compiles at the first of a kind alone', async () => {
    const { a, b } = operands(16, 512, 1024)
    freed(await fp8GemmNT(a, b))
    const { cuModuleLoadData: loads } = fake.calls()
    freed(await fp8GemmNT(a, b), a, b)
    expect(fake.calls()['cuModuleLoadData']).toBe(loads)
  })

  it('of no rows launches nothing', async () => {
    const { a, b } = operands(0, 512, 1024)
    freed(await fp8GemmNT(a, b), a, b)
    expect(fake.lastLaunch()).toBeUndefined()
  })

  it('is refused where the kernels cannot do it, and keeps no memory', async () => {
    const refused = async (error: unknown, given: ReturnType<typeof operands>) => {
      await expect(fp8GemmNT(given.a, given.b)).rejects.toThrow(error as typeof Error)
      freed(given.a, given.b)
    }
    await refused(ShapeError, operands(16, 516, 1024))
    await refused(ShapeError, operands(16, 512, 1000))
    const { a, b } = operands(16, 512, 1024)
    const wide = device.zeros({ dtype: 'bf16', shape: [16, 520] })
    const shifted = fp8GemmNT(a, b, { out: wide.slice(1, 4, 516) })
    await expect(shifted).rejects.toThrow(
      /The output cannot be copied in bulk: given strides \[520, 1\] of bf16, byte offset 8; allowed rows/,
    )
    await expect(shifted).rejects.toThrow(LayoutError)
    freed(a, b, wide)
  })
})

describe('a plan on a GPU', () => {
  it('compiles all its configs and runs without compiling', async () => {
    const plan = await planGemm(device, { n: 512, k: 1024, m: { max: 300 } })
    expect(plan.configs.length).toBeGreaterThan(1)
    for (const config of plan.configs) expect(config.target).toBe('sm_90a')
    const { cuModuleLoadData: loads, nvrtcCompileProgram: compiles } = fake.calls()
    // And the kernel for scales in other layouts.
    expect(loads).toBe(plan.configs.length + 1)
    for (const m of [1, 64, 300]) {
      const { a, b } = operands(m, 512, 1024)
      const out = device.zeros({ dtype: 'bf16', shape: [m, 512] })
      plan.run({ a, b, out })
      await device.synchronize()
      expect([argument('leftExtent'), argument('rightExtent')]).toContain(m)
      freed(a, b, out)
    }
    expect(fake.calls()).toMatchObject({ cuModuleLoadData: loads })
    expect(fake.calls()['nvrtcCompileProgram']).toBe(compiles)
  })

  it('covers one recipe of B', async () => {
    const plan = await planGemm(device, { n: 512, k: 1024, m: { max: 300 }, recipeB: '1x128' })
    const { a, b } = operands(16, 512, 1024)
    const out = device.zeros({ dtype: 'bf16', shape: [16, 512] })
    expect(() => plan.run({ a, b, out })).toThrow(/other scales of B: given 128x128; allowed 1x128/)
    freed(a, b, out)
  })

  it('tells of each kernel that it loads, and where it came from', async () => {
    const told: GemmProgress[] = []
    const onProgress = (progress: GemmProgress) => told.push(progress)
    const spec = { n: 640, k: 1024, m: { max: 64 } } as const
    const plan = await planGemm(device, { ...spec, onProgress })
    const total = plan.configs.length + 1
    expect(told.map(({ done }) => done)).toEqual(Array.from({ length: total }, (_, i) => i + 1))
    expect(told.every((progress) => progress.total === total)).toBe(true)
    expect(told.every(({ source }) => ['cache', 'compiled'].includes(source))).toBe(true)
    for (const config of plan.configs) {
      const kernel = `fp8_gemm ${configName(config).replace('sm_90a/', '')}`
      expect(told.map((progress) => progress.kernel)).toContain(kernel)
    }
    const again: GemmProgress[] = []
    await planGemm(device, { ...spec, form: 'NN', onProgress: (each) => again.push(each) })
    expect(again).toHaveLength(total + 2)
    expect(again.filter(({ source }) => source === 'device')).toHaveLength(total)
  })

  it.skipIf(nvrtc === undefined)('compiles with the NVRTC of the machine', async () => {
    // A name without a folder is one that the system finds.
    vi.stubEnv('DEEPGEMM_NVRTC_LIBRARY', isAbsolute(nvrtc as string) ? nvrtc : '')
    vi.stubEnv('DEEPGEMM_CACHE_DIR', join(gpu.cache, 'real'))
    const plan = await planGemm(device, { n: 512, k: 1024, m: { max: 8 } })
    expect(plan.configs.length).toBeGreaterThan(0)
  })
})
