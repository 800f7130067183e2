import { DeviceError, type Recipe, transposeRecipe } from '@deepgemm/core'
import {
  enqueueScaleRelayout,
  enqueueTranspose,
  prepareScaleRelayout,
  prepareTranspose,
} from '@deepgemm/jit'
import { allocateQuantized, allocateScales } from '@deepgemm/runtime'
import type { CudaDevice } from '@deepgemm/runtime/cuda'
import { beforeEach, describe, expect, it } from 'vitest'
import type { FakeCuda } from '../../runtime/test/support/fake-cuda.js'
import { useFakeGpu } from '../../runtime/test/support/fake-gpu.js'

const gpu = useFakeGpu()
let fake: FakeCuda
let device: CudaDevice

beforeEach(() => {
  ;({ fake, device } = gpu)
})

/** Numbers of the last launch: i64 at the first places, u32 at the second. */
function numbersAt(wide: readonly number[], narrow: readonly number[]): number[] {
  const bytes = fake.lastArguments()
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return [
    ...wide.map((at) => Number(view.getBigInt64(at, true))),
    ...narrow.map((at) => view.getUint32(at, true)),
  ]
}

/** Strides of group, row and column, then groups, extents, padded extents and format. */
function gridAt(start: number): number[] {
  return numbersAt(
    [8, 16, 24].map((at) => start + at),
    [32, 36, 40, 44, 48, 52].map((at) => start + at),
  )
}

async function transpose(shape: readonly number[], recipe: Recipe): Promise<void> {
  const [rows, columns] = [shape.at(-2) as number, shape.at(-1) as number]
  const turned = [...shape.slice(0, -2), columns, rows]
  using source = allocateQuantized(device, { shape, recipe })
  using out = allocateQuantized(device, { shape: turned, recipe: transposeRecipe(recipe) })
  await prepareTranspose(device)
  enqueueTranspose(device.defaultStream, source, out)
  await device.synchronize()
}

describe('the transposition of an e4m3 matrix', () => {
  it('covers values with tiles of 128 x 128 and scales with blocks behind them', async () => {
    await transpose([384, 1040], '128x1')
    expect(fake.lastLaunch()).toMatchObject({ grid: [3 * 9 + 17, 1, 1], block: [256, 1, 1] })
    expect(numbersAt([16, 24, 32, 40], [48, 52, 56, 60, 64])).toEqual([
      0, 1040, 0, 384, 384, 1040, 3, 9, 27,
    ])
    // Both grids as the transposed matrix has them: [1040, 3].
    expect(gridAt(72)).toEqual([0, 1, 1040, 1, 1040, 3, 1040, 3, 0])
    expect(gridAt(128)).toEqual([0, 1, 1040, 1, 1040, 3, 1040, 3, 0])
    expect(numbersAt([], [192, 196, 200])).toEqual([1, 17, 1])
  })

  it('walks the groups of a group', async () => {
    await transpose([3, 100, 300], '128x128')
    expect(fake.lastLaunch()).toMatchObject({ grid: [3 * 3 + 3, 1, 1] })
    expect(numbersAt([16, 24, 32, 40], [48, 52, 56, 60, 64])).toEqual([
      30_000, 300, 30_000, 100, 100, 300, 1, 3, 9,
    ])
    expect(gridAt(72)).toEqual([3, 1, 3, 3, 3, 1, 3, 1, 0])
    expect(gridAt(128)).toEqual([3, 1, 1, 3, 3, 1, 3, 1, 0])
  })

  it('of nothing launches nothing', async () => {
    await transpose([0, 128], '1x128')
    expect(fake.lastLaunch()).toBeUndefined()
  })

  it('is refused before its kernel is loaded', () => {
    using source = allocateQuantized(device, { shape: [128, 128], recipe: '128x128' })
    using out = allocateQuantized(device, { shape: [128, 128], recipe: '128x128' })
    expect(() => enqueueTranspose(device.defaultStream, source, out)).toThrow(DeviceError)
  })
})

describe('the copy of scales', () => {
  it('runs along the dimension that lies back to back in the result', async () => {
    const spec = { shape: [2, 130, 1300], recipe: '1x128' } as const
    using source = allocateQuantized(device, { ...spec, orientation: 'k-major' })
    const out = allocateScales(device, { ...spec, orientation: 'mn-major', scaleDType: 'ue8m0' })
    using inexact = device.zeros({ dtype: 'u32', shape: [1] })
    await prepareScaleRelayout(device)
    const { shape } = spec
    enqueueScaleRelayout(device.defaultStream, source.scales, out, { shape, inexact })
    await device.synchronize()
    expect(fake.lastLaunch()).toMatchObject({ grid: [2 * 3, 1, 1], block: [256, 1, 1] })
    expect(gridAt(0)).toEqual([1430, 11, 1, 2, 130, 11, 130, 11, 0])
    expect(gridAt(56)).toEqual([11 * 132, 1, 132, 2, 130, 11, 132, 11, 1])
    expect(numbersAt([], [120, 124, 128])).toEqual([1, 3, 1])
    out.dispose()
  })
})
