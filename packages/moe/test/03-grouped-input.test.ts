import {
  type DeepGemmError,
  DeviceError,
  DisposedError,
  DTypeError,
  GroupError,
  LayoutError,
  OptionError,
  type QuantizedTensor,
  RecipeError,
  ShapeError,
  type Tensor,
} from '@deepgemm/core'
import { groupedGemmContiguous, groupedGemmMasked, groupedGemmPacked } from '@deepgemm/moe'
import { allocateQuantized, Device } from '@deepgemm/runtime'
import { availableDevices } from '@deepgemm/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectError } from './support/errors.js'

const [GROUPS, M, N, K] = [3, 256, 40, 200]

type ErrorClass = new (...args: never[]) => DeepGemmError

describe('a grouped product refuses', () => {
  let device: Device
  let a: QuantizedTensor
  let b: QuantizedTensor
  let masked: QuantizedTensor

  beforeAll(async () => {
    device = await Device.open({ kind: 'cpu' })
    a = allocateQuantized(device, { shape: [M, K], recipe: '1x128' })
    b = allocateQuantized(device, { shape: [GROUPS, N, K], recipe: '128x128' })
    masked = allocateQuantized(device, { shape: [GROUPS, 10, K], recipe: '1x128' })
  })
  afterAll(() => device.dispose())

  const index = (fill: (row: number) => number): Int32Array<ArrayBuffer> =>
    Int32Array.from({ length: M }, (_, row) => fill(row))
  const good = index((row) => (row < 128 ? 0 : 2))
  const onDevice = (data: Int32Array<ArrayBuffer>): Tensor<'i32'> =>
    device.tensor(data, { dtype: 'i32', shape: [data.length] })

  async function refuses(
    action: () => unknown,
    Class: ErrorClass,
    ...words: readonly string[]
  ): Promise<void> {
    const before = device.memory().liveBytes
    await expectError(action, Class, ...words)
    // What the call had allocated is gone again, and maybe garbage of other tests.
    expect(device.memory().liveBytes).toBeLessThanOrEqual(before)
  }

  it('a group index out of range, at once when the host knows it', async () => {
    const bad = index((row) => (row === 130 ? GROUPS : 1))
    const words = ['groupIndex[130]', '3', '-1']
    await refuses(() => groupedGemmContiguous(a, b, bad), GroupError, ...words)
    const below = index((row) => (row === 7 ? -2 : 1))
    await refuses(() => groupedGemmContiguous(a, b, below), GroupError, 'groupIndex[7]', '-2')
  })

  it('a group index out of range when only the device knows it', async () => {
    const bad = onDevice(index((row) => (row === 130 ? GROUPS : 1)))
    await refuses(() => groupedGemmContiguous(a, b, bad), GroupError, 'groupIndex[130]', '3')
  })

  it('groups that do not start at aligned rows', async () => {
    const crowded = index((row) => (row < 100 ? 0 : 1))
    const words = ['groupIndex[100]', 'multiples of 128', 'packed']
    await refuses(() => groupedGemmContiguous(a, b, crowded), GroupError, ...words)
  })

  it('a group index of another length than the rows', async () => {
    const short = good.slice(1)
    await refuses(() => groupedGemmContiguous(a, b, short), ShapeError, '[255]', '[256]')
    const tensor = onDevice(short)
    await refuses(() => groupedGemmContiguous(a, b, tensor), ShapeError, '[255]', '[256]')
  })

  it.each([
    ['decrease', [0, 20, 10, 30], 'groupOffsets[2]'],
    ['start below zero', [-1, 20, 20, 30], 'groupOffsets[0]'],
    ['end beyond the rows', [0, 20, 20, M + 1], 'groupOffsets[3]'],
  ])('offsets that %s, wherever they are', async (_, values, word) => {
    const offsets = Int32Array.from(values)
    await refuses(() => groupedGemmPacked(a, b, offsets), GroupError, word)
    const tensor = onDevice(offsets)
    await refuses(() => groupedGemmPacked(a, b, tensor), GroupError, word)
  })

  it.each([[-1], [11]])('a masked size of %i, wherever it is', async (size) => {
    const sizes = Int32Array.of(0, size, 10)
    const words = ['groupSizes[1]', String(size), '0 to 10']
    await refuses(() => groupedGemmMasked(masked, b, sizes), GroupError, ...words)
    const tensor = onDevice(sizes)
    await refuses(() => groupedGemmMasked(masked, b, tensor), GroupError, ...words)
  })

  it('group data that is not int32', async () => {
    const floats = device.zeros({ dtype: 'f32', shape: [M] }) as never
    await refuses(() => groupedGemmContiguous(a, b, floats), DTypeError, 'groupIndex', 'f32', 'i32')
    const list = Array.from(good) as never
    await refuses(() => groupedGemmContiguous(a, b, list), DTypeError, 'Array', 'Int32Array')
  })

  it('group data with gaps, or on another device', async () => {
    const wide = device.zeros({ dtype: 'i32', shape: [M, 2] })
    const gaps = wide.slice(1, 0, 1).transpose().slice(0, 0, 1)
    expect(gaps.shape).toEqual([1, M])
    await refuses(() => groupedGemmContiguous(a, b, gaps), ShapeError, '[1, 256]')
    const other = await Device.open({ kind: 'cpu' })
    const foreign = other.zeros({ dtype: 'i32', shape: [M] })
    await refuses(() => groupedGemmContiguous(a, b, foreign), DeviceError, other.id, device.id)
    await other.dispose()
  })

  it('operands that do not fit the layout', async () => {
    const flat = allocateQuantized(device, { shape: [N, K], recipe: '128x128' })
    const shorter = allocateQuantized(device, { shape: [GROUPS, N, 128], recipe: '128x128' })
    await refuses(() => groupedGemmContiguous(a, flat, good), ShapeError, '[40, 200]', '[G, N, K]')
    await refuses(() => groupedGemmContiguous(a, shorter, good), ShapeError, '[3, 40, 128]')
    const sizes = Int32Array.of(1, 1, 1)
    await refuses(() => groupedGemmMasked(a, b, sizes), ShapeError, '[G, max M, K]')
    const two = allocateQuantized(device, { shape: [2, 10, K], recipe: '1x128' })
    await refuses(() => groupedGemmMasked(two, b, sizes), ShapeError, '[2, 10, 200]')
    await refuses(() => groupedGemmContiguous({} as never, b, good), ShapeError, 'A', 'Object')
  })

  it('recipes whose blocks do not run along K', async () => {
    const blocks = allocateQuantized(device, { shape: [M, K], recipe: '128x128' })
    await refuses(() => groupedGemmContiguous(blocks, b, good), RecipeError, 'A', '128x128')
    const columns = allocateQuantized(device, { shape: [GROUPS, N, K], recipe: '128x1' })
    await refuses(() => groupedGemmContiguous(a, columns, good), RecipeError, 'B', '128x1')
  })

  it('an unknown option', async () => {
    const typo = { accumulat: true } as never
    await refuses(() => groupedGemmContiguous(a, b, good, typo), OptionError, 'accumulat')
    const hint = { expectedM: 3 } as never
    await refuses(() => groupedGemmContiguous(a, b, good, hint), OptionError, 'expectedM')
    const sizes = Int32Array.of(1, 1, 1)
    const bad = { expectedM: -1 }
    await refuses(() => groupedGemmMasked(masked, b, sizes, bad), OptionError, 'expectedM', '-1')
  })

  it('to accumulate into nothing', async () => {
    const run = () => groupedGemmContiguous(a, b, good, { accumulate: true })
    await refuses(run, OptionError, 'accumulate', 'out')
  })

  it('an output of another shape, dtype or layout', async () => {
    const shape = device.zeros({ dtype: 'bf16', shape: [M, N + 1] })
    const dtype = device.zeros({ dtype: 'f16', shape: [M, N] })
    const columns = device.zeros({ dtype: 'bf16', shape: [N, M] }).transpose()
    const run = (out: Tensor) => () => groupedGemmContiguous(a, b, good, { out })
    await refuses(run(shape), ShapeError, '[256, 41]', '[256, 40]')
    await refuses(run(dtype), DTypeError, 'f16', 'bf16')
    await refuses(run(columns), LayoutError, 'innermost stride of 1')
    const pile = device.zeros({ dtype: 'bf16', shape: [20, N] })
    const stacked = pile.reshape([2, 10, N])
    const { storage, dtype: bf16 } = stacked
    const overlapping = new (stacked.constructor as never as typeof Tensor)(storage, {
      dtype: bf16,
      shape: [GROUPS, 10, N],
      strides: [5 * N, N, 1],
    })
    const sizes = Int32Array.of(1, 1, 1)
    const both = () => groupedGemmMasked(masked, b, sizes, { out: overlapping })
    await refuses(both, LayoutError, 'groups of the output overlap')
  })

  it('operands that were disposed', async () => {
    const gone = allocateQuantized(device, { shape: [M, K], recipe: '1x128', label: 'gone' })
    gone.dispose()
    await refuses(() => groupedGemmContiguous(gone, b, good), DisposedError, 'gone')
  })

  it('operands of two devices', async () => {
    const other = await Device.open({ kind: 'cpu' })
    const foreign = allocateQuantized(other, { shape: [GROUPS, N, K], recipe: '128x128' })
    await refuses(() => groupedGemmContiguous(a, foreign, good), DeviceError, other.id)
    await other.dispose()
  })
})

describe.each(await availableDevices(Device))('products side by side on $kind', (kind) => {
  it('are told of their own failures and of no other', async () => {
    await using device = await kind.open()
    const [rows, cols, depth] = [8, 16, 128]
    using b = allocateQuantized(device, { shape: [2, cols, depth], recipe: '128x128' })
    const product = async (offsets: readonly number[]): Promise<string> => {
      using a = await quantized(device, rows, depth)
      using groups = device.tensor(Int32Array.from(offsets), { dtype: 'i32', shape: [3] })
      using out = device.zeros({ dtype: 'bf16', shape: [rows, cols] })
      return await groupedGemmPacked(a, b, groups, { out }).then(
        () => 'done',
        (error: Error) => error.message,
      )
    }
    for (let i = 0; i < 100; i++) {
      const [first, good, second] = await Promise.all([
        product([0, 9, 8]),
        product([0, 3, 8]),
        product([0, 5, 4]),
      ])
      expect(first).toContain('groupOffsets[1]')
      expect(good).toBe('done')
      expect(second).toContain('groupOffsets[2]')
    }
    expect(device.memory().buffers.length).toBeLessThanOrEqual(10)
  })
})

/** Awaits a turn or two, as operands do that are made for a product. */
async function quantized(device: Device, rows: number, cols: number): Promise<QuantizedTensor> {
  await Promise.resolve()
  return allocateQuantized(device, { shape: [rows, cols], recipe: '1x128' })
}
