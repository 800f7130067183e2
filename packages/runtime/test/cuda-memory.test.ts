import { DeviceError, DisposedError, DTypeError, ShapeError } from '@deepgemm/core'
import { Device } from '@deepgemm/runtime'
import { ArgumentList, type CudaBuffer, CudaDevice, CudaMemoryError } from '@deepgemm/runtime/cuda'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  bytesOn,
  cubin,
  type FakeCuda,
  installFakeCuda,
  leaks,
  settledLeaks,
} from './support/fake-cuda.js'

let fake: FakeCuda
let device: CudaDevice

beforeAll(async () => {
  fake = await installFakeCuda()
}, 300_000)

beforeEach(() => {
  device = new CudaDevice()
})

afterEach(async () => {
  await device.dispose()
  const left = await settledLeaks(fake)
  fake.reset()
  expect(left).toEqual({})
})

function storage(tensor: { storage: unknown }): CudaBuffer {
  return tensor.storage as CudaBuffer
}

describe('tensors of a CUDA device', () => {
  it('start as zeros', async () => {
    using tensor = device.zeros({ dtype: 'f32', shape: [3, 1000] })
    expect((await tensor.toFloat32Array()).every((x) => x === 0)).toBe(true)
  })

  it('that are to be written anyway are not zeroed', async () => {
    const before = fake.calls()['cuMemsetD8Async'] ?? 0
    using tensor = device.empty({ dtype: 'f32', shape: [3, 1000], label: 'to be written' })
    expect(fake.calls()['cuMemsetD8Async'] ?? 0).toBe(before)
    expect(tensor.shape).toEqual([3, 1000])
    await tensor.storage.write(0, new Uint8Array(12_000).fill(1))
    expect((await tensor.toBytes()).every((byte) => byte === 1)).toBe(true)
  })

  it('hold a copy of host data, rounded to their dtype', async () => {
    const data = Float32Array.of(1 + 2 ** -8, 448, 1000)
    using tensor = device.tensor(data, { dtype: 'e4m3', shape: [3] })
    data.fill(0)
    expect(await tensor.toFloat32Array()).toEqual(Float32Array.of(1, 448, 448))
  })

  it('read and write ranges', async () => {
    using tensor = device.tensor(Uint8Array.of(1, 2, 3, 4), { dtype: 'u8', shape: [4] })
    await tensor.storage.write(1, Uint8Array.of(7, 8))
    expect(await tensor.storage.read(1, 3)).toEqual(Uint8Array.of(7, 8, 4))
    await expect(tensor.storage.read(2, 3)).rejects.toThrow(ShapeError)
    await expect(tensor.storage.write(-1, new Uint8Array(1))).rejects.toThrow(ShapeError)
  })

  it('write memory that is shared between threads', async () => {
    using tensor = bytesOn(device, 2)
    const shared = new Uint8Array(new SharedArrayBuffer(2))
    shared.set([5, 6])
    await tensor.storage.write(0, shared)
    expect(await tensor.toBytes()).toEqual(Uint8Array.of(5, 6))
  })

  it('can be empty', async () => {
    using tensor = device.tensor(new Float32Array(0), { dtype: 'f32', shape: [0, 5] })
    expect(await tensor.toFloat32Array()).toEqual(new Float32Array(0))
    await tensor.storage.write(0, new Uint8Array(0))
  })

  it('refuse wrong data, and host memory without a copy', () => {
    const spec = { dtype: 'f32', shape: [2] } as const
    expect(() => device.tensor(Float32Array.of(1), spec)).toThrow(ShapeError)
    expect(() => device.tensor(Int32Array.of(1, 2), spec)).toThrow(DTypeError)
    expect(() => device.wrap(Float32Array.of(1, 2), spec)).toThrow(DeviceError)
  })

  it('are listed with their bytes until they are disposed', async () => {
    const tensor = device.zeros({ dtype: 'f32', shape: [256], label: 'activations' })
    expect(device.memory()).toEqual({
      liveBytes: 1024,
      buffers: [{ label: 'activations', bytes: 1024 }],
    })
    expect(device.memoryInfo().reserved).toBe(1024)
    tensor.dispose()
    tensor.dispose()
    expect(device.memory().liveBytes).toBe(0)
    device.trim()
    await expect(tensor.toBytes()).rejects.toThrow(DisposedError)
  })

  it('say how much memory was asked for when there is not enough, and then go on', async () => {
    using held = bytesOn(device, 1000, 'weights')
    const ask = () => bytesOn(device, 2 ** 40, 'activations')
    expect(ask).toThrow(CudaMemoryError)
    expect(ask).toThrow(
      /No memory of 1099511627776 bytes for activations, with 1000 live on cuda.*CUDA_ERROR_OUT_OF_MEMORY from cuMemAllocFromPoolAsync/,
    )
    expect((await held.toBytes()).length).toBe(1000)
  })
})

describe('memory that work still uses', () => {
  it('is freed behind that work when it is disposed', async () => {
    fake.slow(0, 30)
    const source = device.tensor(Uint8Array.of(1, 2, 3), { dtype: 'u8', shape: [3] })
    using target = bytesOn(device, 3)
    using module = device.loadModule(cubin)
    const copy = module.kernel('copy')
    copy.launch(new ArgumentList().pointer(target).pointer(source).i64(3), {
      grid: [1],
      block: [1],
    })
    source.dispose()
    expect(await target.toBytes()).toEqual(Uint8Array.of(1, 2, 3))
    expect(device.lost).toBeUndefined()
    expect(leaks(fake)['memory']).toBe(1)
  })

  it('is freed behind the work of every stream that used it', async () => {
    using module = device.loadModule(cubin)
    const copy = module.kernel('copy')
    using other = device.createStream()
    const source = device.tensor(Uint8Array.of(4, 5), { dtype: 'u8', shape: [2] })
    using first = bytesOn(device, 2)
    using second = bytesOn(device, 2)
    fake.slow(0, 20)
    const launch = (target: typeof first, stream = device.defaultStream) =>
      copy.launch(
        new ArgumentList().pointer(target).pointer(source).i64(2),
        { grid: [1], block: [1] },
        stream,
      )
    launch(first, other)
    launch(first, other)
    launch(second)
    source.dispose()
    expect(await first.toBytes()).toEqual(Uint8Array.of(4, 5))
    expect(await second.toBytes()).toEqual(Uint8Array.of(4, 5))
    expect(device.lost).toBeUndefined()
  })

  it('cannot be launched on after it was disposed', () => {
    using module = device.loadModule(cubin)
    const tensor = bytesOn(device, 4, 'activations')
    const args = new ArgumentList().pointer(tensor).i64(4).u32(1)
    tensor.dispose()
    expect(() => module.kernel('fill').launch(args, { grid: [1], block: [1] })).toThrow(
      /activations was disposed/,
    )
    expect(() => new ArgumentList().pointer(tensor)).toThrow(DisposedError)
  })

  it('must be on the device of the kernel', async () => {
    await using cpu = await Device.open({ kind: 'cpu' })
    using tensor = cpu.zeros({ dtype: 'u8', shape: [4] })
    expect(() => new ArgumentList().pointer(tensor)).toThrow(DeviceError)
    const second = new CudaDevice()
    using foreign = bytesOn(second, 4)
    using module = device.loadModule(cubin)
    const args = new ArgumentList().pointer(foreign).i64(4).u32(1)
    const launch = () => module.kernel('fill').launch(args, { grid: [1], block: [1] })
    expect(launch).toThrow(/is on another device/)
    await second.dispose()
  })
})

describe('a matrix', () => {
  it('is zeroed in stream order, its gaps left alone', async () => {
    const bytes = Uint8Array.from({ length: 12 }, (_, i) => i + 1)
    using whole = device.tensor(bytes, { dtype: 'u8', shape: [3, 4] })
    device.defaultStream.zero(whole.slice(1, 1, 3))
    device.defaultStream.zero(whole.slice(0, 1, 1))
    expect([...(await whole.toBytes())]).toEqual([1, 0, 0, 4, 5, 0, 0, 8, 9, 0, 0, 12])
    await using other = new CudaDevice()
    expect(() => other.defaultStream.zero(whole)).toThrow(DeviceError)
    whole.dispose()
    expect(() => device.defaultStream.zero(whole)).toThrow(DisposedError)
  })
})

describe('page-locked memory', () => {
  it('is copied in stream order both ways', async () => {
    using pinned = device.pinned(8)
    expect(pinned.bytes()).toEqual(new Uint8Array(8))
    pinned.bytes().set([1, 2, 3, 4, 5, 6, 7, 8])
    using tensor = bytesOn(device, 4)
    pinned.copyTo(storage(tensor), { hostOffset: 2 })
    pinned.copyFrom(storage(tensor), { bufferOffset: 2, byteLength: 2 })
    await device.synchronize()
    expect(pinned.bytes()).toEqual(Uint8Array.of(5, 6, 3, 4, 5, 6, 7, 8))
  })

  it('outlives the copies that use it', async () => {
    fake.slow(0, 20)
    const pinned = device.pinned(4)
    pinned.bytes().set([9, 8, 7, 6])
    using tensor = bytesOn(device, 4)
    pinned.copyTo(storage(tensor))
    pinned.dispose()
    pinned.dispose()
    expect(await tensor.toBytes()).toEqual(Uint8Array.of(9, 8, 7, 6))
    expect(() => pinned.bytes()).toThrow(DisposedError)
  })

  it('refuses ranges beyond either side', () => {
    using pinned = device.pinned(4)
    using tensor = bytesOn(device, 8)
    expect(() => pinned.copyTo(storage(tensor), { byteLength: 5 })).toThrow(ShapeError)
    expect(() => pinned.copyFrom(storage(tensor), { bufferOffset: 9 })).toThrow(ShapeError)
    expect(() => device.pinned(-1)).toThrow(/page-locked memory is out of range/)
  })

  it('weighs on the engine: what is forgotten is collected before much piles up', async () => {
    let most = 0
    for (let i = 0; i < 60; i++) {
      device.pinned(2 ** 23)
      // Where finalizers run.
      await new Promise(setImmediate)
      most = Math.max(most, fake.live()['host'] ?? 0)
    }
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThan(50)
  })
})
