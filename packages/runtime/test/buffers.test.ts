import { DisposedError, DTypeError, NativeError, ShapeError } from '@deepgemm/core'
import { Device } from '@deepgemm/runtime'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let device: Device

beforeAll(async () => {
  device = await Device.open({ kind: 'cpu' })
})

afterAll(async () => {
  await device.dispose()
})

describe('tensors of a CPU device', () => {
  it('start as zeros', async () => {
    using tensor = device.zeros({ dtype: 'f32', shape: [3, 1000] })
    expect((await tensor.toFloat32Array()).every((x) => x === 0)).toBe(true)
  })

  it('are zeros also when they are large enough for pages of their own', async () => {
    using tensor = device.zeros({ dtype: 'u8', shape: [3 << 20] })
    expect((await tensor.toBytes()).every((x) => x === 0)).toBe(true)
  })

  it('copy host data in its stored form', async () => {
    const data = Uint16Array.of(0x3f80, 0x4000)
    using tensor = device.tensor(data, { dtype: 'bf16', shape: [2] })
    data.fill(0)
    expect(await tensor.toFloat32Array()).toEqual(Float32Array.of(1, 2))
  })

  it('round float arrays to their dtype', async () => {
    using tensor = device.tensor(Float32Array.of(1 + 2 ** -8, 448, 1000), {
      dtype: 'e4m3',
      shape: [3],
    })
    expect(await tensor.toFloat32Array()).toEqual(Float32Array.of(1, 448, 448))
  })

  it('read only the elements of a view', async () => {
    using tensor = device.tensor(Float32Array.of(1, 2, 3, 4, 5, 6), { dtype: 'f32', shape: [2, 3] })
    expect(await tensor.slice(1, 1, 3).toFloat32Array()).toEqual(Float32Array.of(2, 3, 5, 6))
    expect(await tensor.transpose().toFloat32Array()).toEqual(Float32Array.of(1, 4, 2, 5, 3, 6))
  })

  it('can be empty', async () => {
    using tensor = device.zeros({ dtype: 'f32', shape: [0, 5] })
    expect(await tensor.toFloat32Array()).toEqual(new Float32Array(0))
  })

  it('refuse data of the wrong length, form or kind of memory', () => {
    const spec = { dtype: 'f32', shape: [2] } as const
    expect(() => device.tensor(Float32Array.of(1), spec)).toThrow(ShapeError)
    expect(() => device.tensor(Int32Array.of(1, 2), spec)).toThrow(DTypeError)
    expect(() => device.tensor([1, 2] as never, spec)).toThrow(/not a typed array.*given Array/)
    const shared = new Float32Array(new SharedArrayBuffer(8))
    expect(() => device.tensor(shared as never, spec)).toThrow(/SharedArrayBuffer/)
  })

  it('say how much memory was asked for when there is not enough', () => {
    const huge = { dtype: 'u8', shape: [2 ** 52], label: 'weights' } as const
    expect(() => device.zeros(huge)).toThrow(NativeError)
    expect(() => device.zeros(huge)).toThrow(/No memory for weights: given 4503599627370496 bytes/)
  })
})

describe('wrapped host memory', () => {
  it('is seen through the tensor without a copy', async () => {
    const data = new Float32Array(8)
    using tensor = device.wrap(data.subarray(2, 6), { dtype: 'f32', shape: [4] })
    data[3] = 7
    expect(await tensor.toFloat32Array()).toEqual(Float32Array.of(0, 7, 0, 0))
    await tensor.storage.write(0, new Uint8Array(Float32Array.of(5).buffer))
    expect(data[2]).toBe(5)
  })

  it('stays with its owner after dispose', () => {
    const data = Float32Array.of(1, 2)
    device.wrap(data, { dtype: 'f32', shape: [2] }).dispose()
    expect(data).toEqual(Float32Array.of(1, 2))
  })

  it('is refused from then on when its owner has transferred it', async () => {
    const data = Float32Array.of(1, 2)
    using tensor = device.wrap(data, { dtype: 'f32', shape: [2], label: 'lent' })
    structuredClone(data.buffer, { transfer: [data.buffer] })
    expect(tensor.storage.disposed).toBe(true)
    await expect(tensor.storage.read(0, 8)).rejects.toThrow(
      /Buffer lent has lost its memory: given a host array that was transferred or detached/,
    )
  })

  it('must have a fixed size', () => {
    const Resizable = ArrayBuffer as unknown as new (
      bytes: number,
      options: { maxByteLength: number },
    ) => ArrayBuffer
    const data = new Float32Array(new Resizable(8, { maxByteLength: 16 }))
    const spec = { dtype: 'f32', shape: [2] } as const
    expect(() => device.wrap(data, spec)).toThrow(
      /given a typed array over a resizable ArrayBuffer/,
    )
    device.tensor(data, spec).dispose()
  })

  it('must have the stored form', () => {
    expect(() => device.wrap(Float32Array.of(1), { dtype: 'bf16', shape: [1] })).toThrow(
      /cannot become bf16: given Float32Array/,
    )
  })
})

describe('the owner of memory', () => {
  it('is listed with its bytes until it is disposed', () => {
    const before = device.memory().liveBytes
    const tensor = device.zeros({ dtype: 'f32', shape: [256], label: 'activations' })
    expect(device.memory().liveBytes).toBe(before + 1024)
    expect(device.memory().buffers).toContainEqual({ label: 'activations', bytes: 1024 })
    tensor.dispose()
    tensor.dispose()
    expect(device.memory().liveBytes).toBe(before)
  })

  it('is named by the error when it is used after dispose', async () => {
    const tensor = device.zeros({ dtype: 'f32', shape: [2, 2], label: 'activations' })
    tensor.dispose()
    await expect(tensor.toFloat32Array()).rejects.toThrow(DisposedError)
    await expect(tensor.toFloat32Array()).rejects.toThrow(/activations \[2, 2\] was disposed/)
  })

  it('refuses reads and writes beyond its end', async () => {
    using tensor = device.zeros({ dtype: 'u8', shape: [4] })
    await expect(tensor.storage.read(2, 3)).rejects.toThrow(ShapeError)
    await expect(tensor.storage.write(-1, new Uint8Array(1))).rejects.toThrow(ShapeError)
  })
})
