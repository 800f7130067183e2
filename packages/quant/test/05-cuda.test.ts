import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DeepGemmError } from '@deepgemm/core'
import { deviceKernels } from '@deepgemm/jit'
import {
  dequantize,
  enqueueQuantize,
  prepareQuantize,
  quantize,
  relayoutScales,
} from '@deepgemm/quant'
import { castKernel } from '@deepgemm/quant/sm90'
import { Device } from '@deepgemm/runtime'
import type { CudaDevice } from '@deepgemm/runtime/cuda'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { type FakeCuda, STATUS } from '../../runtime/test/support/fake-cuda.js'
import { useFakeGpu } from '../../runtime/test/support/fake-gpu.js'

const gpu = useFakeGpu()
let fake: FakeCuda
let device: Device

beforeEach(() => {
  ;({ fake, device } = gpu)
})

const host = (rows: number, columns: number) => ({
  data: new Float32Array(rows * columns),
  shape: [rows, columns],
})

type Numbers = { readonly wide: readonly number[]; readonly narrow: readonly number[] }

/** Counts of 64 and of 32 bits among the arguments of the last kernel. */
function numbersOf(length: number, wide: readonly number[], narrow: readonly number[]): Numbers {
  const bytes = fake.lastArguments()
  expect(bytes).toHaveLength(length)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    wide: wide.map((at) => Number(view.getBigInt64(at, true))),
    narrow: narrow.map((at) => view.getUint32(at, true)),
  }
}

/** Strides of group, row and column; groups, extents, padded extents and format. */
const GRID = { wide: [24, 32, 40], narrow: [48, 52, 56, 60, 64, 68] }
const STRIDES = [72, 80, 88, 96]

function gridNumbers(length: number): number[] {
  const { wide, narrow } = numbersOf(length, GRID.wide, GRID.narrow)
  return [...wide, ...narrow]
}

/** Strides of groups and rows of source and values; rows, columns, and tiles of both. */
function castNumbers(): number[] {
  const { wide, narrow } = numbersOf(120, STRIDES, [104, 108, 112, 116])
  return [...wide, ...narrow]
}

describe('a cast on a GPU', () => {
  it('covers the matrix and writes 1x128 scales M-major and padded', async () => {
    using q = await quantize(device, host(33, 1040), '1x128')
    expect(q.device.kind).toBe('cuda')
    expect(fake.lastLaunch()).toMatchObject({
      grid: [15, 1, 1],
      block: [256, 1, 1],
      programmatic: true,
    })
    expect(gridNumbers(120)).toEqual([0, 1, 36, 1, 33, 9, 36, 9, 0])
    expect(castNumbers()).toEqual([0, 1040, 0, 1040, 33, 1040, 5, 3])
  })

  it('writes 128x128 scales row by row', async () => {
    using q = await quantize(device, host(130, 300), '128x128')
    expect(q.shape).toEqual([130, 300])
    expect(fake.lastLaunch()).toMatchObject({ grid: [6, 1, 1] })
    expect(gridNumbers(120)).toEqual([0, 3, 1, 1, 2, 3, 2, 3, 0])
    expect(castNumbers()).toEqual([0, 300, 0, 300, 130, 300, 2, 3])
  })

  it('of a transposing kind sees the scales as the source does', async () => {
    using q = await quantize(device, host(130, 300), '1x128', {
      transpose: true,
      scaleDType: 'ue8m0',
    })
    expect(q.shape).toEqual([300, 130])
    // Stored [2, 300]: a row of blocks of the source is a row there, too.
    expect(gridNumbers(120)).toEqual([0, 300, 1, 1, 2, 300, 2, 300, 1])
    expect(castNumbers()).toEqual([0, 300, 0, 130, 130, 300, 2, 3])
  })

  it('of a group covers every matrix in one launch', async () => {
    const x = { data: new Float32Array(3 * 5 * 256), shape: [3, 5, 256] }
    const before = fake.calls()['cuLaunchKernelEx'] ?? 0
    using q = await quantize(device, x, '128x1', { orientation: 'mn-major' })
    expect(q.shape).toEqual([3, 5, 256])
    expect(fake.calls()['cuLaunchKernelEx']).toBe(before + 1)
    expect(fake.lastLaunch()).toMatchObject({ grid: [6, 1, 1] })
    expect(gridNumbers(120)).toEqual([1024, 1, 4, 3, 1, 256, 4, 256, 0])
    expect(castNumbers()).toEqual([1280, 256, 1280, 256, 5, 256, 1, 2])
  })

  it('reads views with gaps between rows where they lie', async () => {
    using whole = device.zeros({ dtype: 'bf16', shape: [8, 512] })
    using q = await quantize(device, whole.slice(1, 128, 384), '1x128')
    expect(q.shape).toEqual([8, 256])
    expect(castNumbers()).toEqual([0, 512, 0, 256, 8, 256, 1, 1])
  })

  it('is enqueued at once when one of its kind was done before, however its rows lie', async () => {
    expect(() => enqueueQuantize(device, host(4, 128), '1x128')).toThrow(/is not loaded/)
    using first = await quantize(device, host(4, 128), '1x128')
    using second = enqueueQuantize(device, host(8, 257), '1x128', { scaleDType: 'ue8m0' })
    expect([first.shape, second.shape]).toEqual([
      [4, 128],
      [8, 257],
    ])
    await device.synchronize()
    expect(castNumbers().slice(4, 6)).toEqual([8, 257])
  })

  it('is enqueued at once when its kind was prepared, and not when another was', async () => {
    await prepareQuantize(device, '1x128', { dtype: 'bf16' })
    const before = fake.calls()['cuModuleLoadData'] ?? 0
    const rows = (dtype: 'bf16' | 'f16', columns: number) =>
      device.zeros({ dtype, shape: [4, columns] })
    using aligned = rows('bf16', 128)
    using odd = rows('bf16', 129)
    using half = rows('f16', 128)
    using first = enqueueQuantize(device, aligned, '1x128')
    using second = enqueueQuantize(device, odd, '1x128')
    expect([first.shape, second.shape, fake.calls()['cuModuleLoadData'] ?? 0]).toEqual([
      [4, 128],
      [4, 129],
      before,
    ])
    expect(() => enqueueQuantize(device, half, '1x128')).toThrow(/Await prepareQuantize/)
    expect(() => enqueueQuantize(device, aligned, '128x128')).toThrow(/is not loaded/)
    await device.synchronize()
  })

  it('needs no compiler where the cache has its kernel, whatever else the cache lacks', async () => {
    const warmed = mkdtempSync(join(tmpdir(), 'deepgemm-warmed-'))
    vi.stubEnv('DEEPGEMM_CACHE_DIR', warmed)
    const form = { target: 'sm_90a', blocks: 'rows', transposed: false } as const
    const spec = castKernel({ ...form, source: 'f32', aligned: true })
    await deviceKernels(device as CudaDevice).load([spec])
    vi.stubEnv('DEEPGEMM_COMPILER', 'nvcc')
    vi.stubEnv('DEEPGEMM_NVCC', join(warmed, 'none'))
    await using other = await Device.open({ kind: 'cuda' })
    try {
      using q = await quantize(other, host(4, 128), '1x128')
      expect(q.shape).toEqual([4, 128])
      expect(() => enqueueQuantize(other, host(4, 129), '1x128')).toThrow(/is not loaded/)
      await expect(quantize(other, host(4, 129), '1x128')).rejects.toThrow(DeepGemmError)
    } finally {
      vi.stubEnv('DEEPGEMM_CACHE_DIR', gpu.cache)
      vi.stubEnv('DEEPGEMM_COMPILER', 'nvrtc')
      rmSync(warmed, { recursive: true })
    }
  })

  it('equal to an earlier one is the same launch at other addresses', async () => {
    const addresses = (): bigint[] => {
      const bytes = fake.lastArguments()
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      return [0, 8, 16].map((at) => view.getBigUint64(at, true))
    }
    using x = device.zeros({ dtype: 'bf16', shape: [8, 512] })
    using first = await quantize(device, x, '1x128')
    const [before, numbers] = [addresses(), castNumbers()]
    using second = enqueueQuantize(device, x, '1x128')
    await device.synchronize()
    expect(first.values.storage).not.toBe(second.values.storage)
    expect(castNumbers()).toEqual(numbers)
    const after = addresses()
    expect(after[0]).toBe(before[0])
    expect(after.slice(1).filter((address) => before.includes(address))).toEqual([])
    using gaps = enqueueQuantize(device, x.slice(1, 0, 256), '1x128')
    await device.synchronize()
    expect(gaps.shape).toEqual([8, 256])
    expect(castNumbers().slice(0, 6)).toEqual([0, 512, 0, 256, 8, 256])
    using stream = device.createStream()
    using elsewhere = enqueueQuantize(device, x, '1x128', { stream })
    await device.synchronize()
    expect([elsewhere.shape, addresses()[0]]).toEqual([[8, 512], before[0]])
  })

  it('of an empty matrix launches nothing', async () => {
    using q = await quantize(device, host(0, 128), '1x128')
    expect(q.shape).toEqual([0, 128])
    using back = await dequantize(q)
    expect(back.shape).toEqual([0, 128])
    using same = await relayoutScales(q, { orientation: 'k-major' })
    expect(same.scales.orientation).toBe('k-major')
    expect(fake.lastLaunch()).toBeUndefined()
  })

  it('that fails keeps no memory', async () => {
    fake.fail('cuLaunchKernelEx', 1, STATUS.outOfMemory)
    await expect(quantize(device, host(4, 128), '1x128')).rejects.toThrow(DeepGemmError)
    expect(device.memory().buffers).toEqual([])
  })
})

describe('a cast back on a GPU', () => {
  it('reads scales by the blocks of the recipe', async () => {
    using q = await quantize(device, host(130, 300), '128x1')
    using back = await dequantize(q, { dtype: 'bf16' })
    expect(back.shape).toEqual([130, 300])
    expect(fake.lastLaunch()).toMatchObject({ grid: [10, 1, 1], programmatic: true })
    expect(gridNumbers(128)).toEqual([0, 300, 1, 1, 2, 300, 2, 300, 0])
    const { wide, narrow } = numbersOf(128, STRIDES, [104, 108, 112, 116, 120, 124])
    expect(wide).toEqual([0, 300, 0, 300])
    expect(narrow).toEqual([130, 300, 5, 2, 7, 0])
  })

  it('that fails keeps nothing but its source', async () => {
    using q = await quantize(device, host(4, 128), '1x128')
    const before = device.memory().liveBytes
    fake.fail('cuLaunchKernelEx', 1, STATUS.outOfMemory)
    await expect(dequantize(q)).rejects.toThrow(DeepGemmError)
    expect(device.memory().liveBytes).toBe(before)
  })
})

describe('scales on a GPU', () => {
  it('are copied into another orientation in one launch', async () => {
    using q = await quantize(device, host(130, 300), '1x128')
    const before = fake.calls()['cuLaunchKernelEx'] ?? 0
    const turned = await relayoutScales(q, { orientation: 'k-major' })
    expect(fake.calls()['cuLaunchKernelEx']).toBe(before + 1)
    expect(fake.lastLaunch()).toMatchObject({ grid: [5, 1, 1], block: [256, 1, 1] })
    expect(turned.values).toBe(q.values)
    turned.scales.dispose()
  })

  it('keep no flag of whether they became ue8m0', async () => {
    using q = await quantize(device, host(130, 300), '1x128')
    const before = device.memory().liveBytes
    const powers = await relayoutScales(q, { scaleDType: 'ue8m0' })
    expect(device.memory().liveBytes).toBe(before + powers.scales.tensor.byteLength)
    powers.scales.dispose()
    fake.fail('cuLaunchKernelEx', 1, STATUS.outOfMemory)
    await expect(relayoutScales(q, { scaleDType: 'ue8m0' })).rejects.toThrow(DeepGemmError)
    expect(device.memory().liveBytes).toBe(before)
  })
})
