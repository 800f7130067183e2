import { DisposedError, LayoutError, ShapeError, Tensor } from '@deepgemm/core'
import { describe, expect, it } from 'vitest'
import { blank, counting, MemoryStorage } from './support/memory-storage.js'
import { expectRefusal } from './support/refusal.js'

const numbers = async (tensor: Tensor): Promise<number[]> => [...(await tensor.toFloat32Array())]

describe('a tensor', () => {
  it('describes its elements', () => {
    const tensor = blank('bf16', [2, 3, 4])
    expect(tensor).toMatchObject({ dtype: 'bf16', shape: [2, 3, 4], strides: [12, 4, 1] })
    expect([tensor.size, tensor.byteLength, tensor.byteOffset]).toEqual([24, 48, 0])
    expect(tensor.isContiguous).toBe(true)
    expect(tensor.device).toBe(tensor.storage.device)
  })

  it('reads its bytes and its numbers', async () => {
    const tensor = counting('i16', [2, 2])
    expect(await numbers(tensor)).toEqual([0, 1, 2, 3])
    expect([...(await tensor.toBytes())]).toEqual([0, 0, 1, 0, 2, 0, 3, 0])
  })

  it('may be a scalar, or empty', async () => {
    expect(await numbers(counting('f32', []))).toEqual([0])
    expect(await numbers(counting('f32', [3, 0]))).toEqual([])
  })

  it('keeps the shape and strides it was made with', () => {
    const [shape, strides] = [
      [2, 2],
      [2, 1],
    ]
    const tensor = new Tensor(new MemoryStorage(16), { dtype: 'f32', shape, strides })
    shape[0] = strides[0] = 1000
    expect([tensor.shape, tensor.strides]).toEqual([
      [2, 2],
      [2, 1],
    ])
    expect(() => (tensor.shape as number[]).push(9)).toThrow(TypeError)
  })

  it('lies within its storage', () => {
    const storage = new MemoryStorage(16, { label: 'weights' })
    const make = (layout: object): Tensor =>
      new Tensor(storage, { dtype: 'f32', shape: [2, 2], ...layout })
    const allowed = '16 bytes'
    expectRefusal(() => make({ shape: [2, 3] }), ShapeError, {
      given: '[2, 3] f32 ending at byte 24',
      allowed,
    })
    expectRefusal(() => make({ byteOffset: 4 }), ShapeError, { given: 'byte 20', allowed })
    expectRefusal(() => make({ byteOffset: -4 }), ShapeError, { given: 'byte 12', allowed })
    expectRefusal(() => make({ strides: [3, 1] }), ShapeError, { given: 'byte 20', allowed })
    expect(() => make({ byteOffset: 4 })).toThrow('Tensor weights does not fit its storage')
    make({ shape: [0, 2 ** 40], byteOffset: 16 })
  })

  it.each([
    [{ strides: [1] }, 'strides [1]'],
    [{ strides: [2, -1] }, 'strides [2, -1]'],
    [{ strides: [2, 0.5] }, 'strides [2, 0.5]'],
    [{ byteOffset: 2 }, 'byte offset 2'],
    [{ byteOffset: Number.NaN }, 'byte offset NaN'],
  ])('refuses the layout %j', (layout, given) => {
    const make = (): Tensor =>
      new Tensor(new MemoryStorage(64), { dtype: 'f32', shape: [2, 2], ...layout })
    expectRefusal(make, LayoutError, { given, allowed: 'a multiple of 4' })
  })

  it('refuses a shape that is none', () => {
    const make = (): Tensor => new Tensor(new MemoryStorage(64), { dtype: 'f32', shape: [-1] })
    expectRefusal(make, ShapeError, { given: '[-1]', allowed: 'non-negative' })
  })
})

describe('a view', () => {
  it('of a slice shows the chosen elements and reads no others', async () => {
    const tensor = counting('f32', [4, 3])
    const rows = tensor.slice(0, 1, 3)
    expect(await numbers(rows)).toEqual([3, 4, 5, 6, 7, 8])
    expect((tensor.storage as MemoryStorage).reads).toEqual([[12, 24]])
    expect(await numbers(rows.slice(1, 2, 3))).toEqual([5, 8])
    expect(rows.isContiguous).toBe(true)
    expect(rows.slice(1, 2, 3).isContiguous).toBe(false)
  })

  it('may be empty at either end', async () => {
    const columns = counting('f32', [4, 3]).slice(1, 1, 3)
    for (const at of [0, 4]) expect(await numbers(columns.slice(0, at, at))).toEqual([])
    expect(columns.slice(0, 4, 4).isContiguous).toBe(true)
  })

  it.each([
    [0, -1, 2],
    [0, 2, 1],
    [0, 0, 5],
    [2, 0, 1],
    [-1, 0, 1],
    [0, 0.5, 1.5],
    [0, Number.NaN, 1],
  ])('of dim %d from %d to %d does not exist', (dim, start, end) => {
    expectRefusal(() => counting('f32', [4, 4]).slice(dim, start, end), ShapeError, {
      given: `dim ${dim}, ${start} to ${end} of shape [4, 4]`,
      allowed: '0 ≤ start ≤ end ≤ its extent',
    })
  })

  it('transposed exchanges the last two dimensions', async () => {
    const tensor = counting('i32', [2, 3])
    expect(await numbers(tensor.transpose())).toEqual([0, 3, 1, 4, 2, 5])
    expect(tensor.transpose().transpose()).toEqual(tensor)
    expect(counting('u8', [2, 3, 4]).transpose().shape).toEqual([2, 4, 3])
    expectRefusal(() => counting('u8', [2]).transpose(), ShapeError, {
      given: 'rank 1',
      allowed: 'rank 2 or more',
    })
  })

  it('reshaped keeps the order of elements', async () => {
    const tensor = counting('u8', [4, 3]).slice(0, 2, 4).reshape([3, 2])
    expect(tensor.shape).toEqual([3, 2])
    expect(await numbers(tensor)).toEqual([6, 7, 8, 9, 10, 11])
    expectRefusal(() => tensor.reshape([5]), ShapeError, {
      given: '[3, 2] to [5]',
      allowed: 'the same number',
    })
    expectRefusal(() => tensor.reshape([-6]), ShapeError, {
      given: '[-6]',
      allowed: 'non-negative',
    })
    expectRefusal(() => tensor.transpose().reshape([6]), LayoutError, {
      given: 'strides [1, 2] for shape [2, 3]',
      allowed: 'a contiguous tensor',
    })
  })

  it('is contiguous whatever the strides of extents of one', () => {
    const tensor = new Tensor(new MemoryStorage(64), {
      dtype: 'u8',
      shape: [1, 4],
      strides: [50, 1],
    })
    expect(tensor.isContiguous).toBe(true)
  })
})

describe('a disposed tensor', () => {
  it('disposes its storage, and with it every view', () => {
    const tensor = counting('f32', [2])
    const view = tensor.slice(0, 0, 1)
    view.dispose()
    view.dispose()
    expect(tensor.storage.disposed).toBe(true)
  })

  it('is disposed at the end of a using block', () => {
    const tensor = counting('f32', [2])
    tensor[Symbol.dispose]()
    expect(tensor.storage.disposed).toBe(true)
  })

  it('can no longer be read, and names itself', async () => {
    const storage = new MemoryStorage(8, { label: 'activations' })
    const tensor = new Tensor(storage, { dtype: 'f32', shape: [2] })
    tensor.requireLive()
    tensor.dispose()
    expect(() => tensor.requireLive()).toThrow(DisposedError)
    await expect(tensor.toBytes()).rejects.toThrow('Tensor activations [2] was disposed. Dispose')
    await expect(tensor.toFloat32Array()).rejects.toMatchObject({ code: 'ERR_DISPOSED' })
  })
})
