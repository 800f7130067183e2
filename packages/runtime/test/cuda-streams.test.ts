import { DeviceError, DisposedError, OptionError } from '@deepgemm/core'
import { Device } from '@deepgemm/runtime'
import { ArgumentList, CudaDevice } from '@deepgemm/runtime/cuda'
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

/** A function that enqueues a fill of `tensor` on `stream`. */
function filler() {
  const module = device.loadModule(cubin)
  const fill = module.kernel('fill')
  const enqueue = (
    tensor: ReturnType<typeof bytesOn>,
    value: number,
    stream = device.defaultStream,
  ) =>
    fill.launch(
      new ArgumentList().pointer(tensor).i64(tensor.byteLength).u32(value),
      { grid: [1], block: [32] },
      stream,
    )
  return { enqueue, [Symbol.dispose]: () => module.dispose() }
}

describe('a stream of a CUDA device', () => {
  it('runs its work in order', async () => {
    using fill = filler()
    using tensor = bytesOn(device, 4)
    fill.enqueue(tensor, 1)
    fill.enqueue(tensor, 2)
    await device.defaultStream.synchronize()
    expect(await tensor.toBytes()).toEqual(Uint8Array.of(2, 2, 2, 2))
  })

  it('leaves the event loop free while it is waited for', async () => {
    using fill = filler()
    using tensor = bytesOn(device, 4)
    fake.slow(0, 50)
    for (let i = 0; i < 4; i++) fill.enqueue(tensor, i)
    let ticks = 0
    const timer = setInterval(() => ticks++, 5)
    await device.defaultStream.synchronize()
    clearInterval(timer)
    expect(ticks).toBeGreaterThan(5)
  })

  it('waits for an event of another stream', async () => {
    using fill = filler()
    using other = device.createStream('other')
    using tensor = bytesOn(device, 4)
    await device.synchronize()
    fake.slow(0, 30)
    fill.enqueue(tensor, 1, other)
    using event = other.record()
    device.defaultStream.wait(event)
    fake.slow(0, 0)
    fill.enqueue(tensor, 2)
    await device.synchronize()
    expect(await tensor.toBytes()).toEqual(Uint8Array.of(2, 2, 2, 2))
  })

  it('sees memory that was made on the default stream', async () => {
    using fill = filler()
    using other = device.createStream('other')
    fake.slow(0, 20)
    using tensor = bytesOn(device, 4)
    fill.enqueue(tensor, 3, other)
    await other.synchronize()
    expect(await tensor.toBytes()).toEqual(Uint8Array.of(3, 3, 3, 3))
  })

  it('finishes its work after it was disposed, and takes no more', async () => {
    using fill = filler()
    const other = device.createStream('other')
    using tensor = bytesOn(device, 4)
    fake.slow(0, 20)
    fill.enqueue(tensor, 5, other)
    const waiting = other.synchronize()
    other.dispose()
    other.dispose()
    await waiting
    expect(await tensor.toBytes()).toEqual(Uint8Array.of(5, 5, 5, 5))
    await expect(other.synchronize()).rejects.toThrow(DisposedError)
    expect(() => other.record()).toThrow(/other was disposed/)
    expect(() => fill.enqueue(tensor, 6, other)).toThrow(DisposedError)
  })
})

describe('short-lived streams', () => {
  it('are forgotten by the memory and modules that they used', async () => {
    using fill = filler()
    using tensor = bytesOn(device, 4)
    for (let i = 0; i < 30; i++) {
      using stream = device.createStream()
      fill.enqueue(tensor, i, stream)
      await stream.synchronize()
    }
    // The default stream, the device's own, and at most the last one.
    expect(leaks(fake)['stream']).toBeLessThanOrEqual(4)
    expect(await tensor.toBytes()).toEqual(Uint8Array.of(29, 29, 29, 29))
  })
})

describe('an event of a CUDA device', () => {
  it('is done when the work before it is, and is let go of then', async () => {
    using fill = filler()
    using tensor = bytesOn(device, 4)
    fake.slow(0, 20)
    fill.enqueue(tensor, 1)
    const event = device.defaultStream.record()
    expect(event.done).toBe(false)
    await event.synchronize()
    expect(event.done).toBe(true)
    device.createStream().wait(event)
    // What is left belongs to the tensor.
    expect(leaks(fake)['event']).toBe(1)
  })

  it('does not wait for later work that is waited for as well', async () => {
    using fill = filler()
    using tensor = bytesOn(device, 4)
    await device.synchronize()
    fake.slow(0, 25)
    fill.enqueue(tensor, 1)
    const early = device.defaultStream.record()
    for (let i = 0; i < 6; i++) fill.enqueue(tensor, i)
    const order: string[] = []
    const late = device.defaultStream.synchronize().then(() => order.push('late'))
    await Promise.all([early.synchronize().then(() => order.push('early')), late])
    expect(order).toEqual(['early', 'late'])
  })

  it('tells the time between two of them', async () => {
    using fill = filler()
    using tensor = bytesOn(device, 4)
    fake.slow(0, 20)
    using start = device.defaultStream.record({ timing: true })
    fill.enqueue(tensor, 1)
    using end = device.defaultStream.record({ timing: true })
    expect(await end.elapsedSince(start)).toBeGreaterThanOrEqual(20)
    const plain = device.defaultStream.record()
    await expect(end.elapsedSince(plain)).rejects.toThrow(OptionError)
    await plain.synchronize()
  })

  it('cannot be used after it was disposed', async () => {
    fake.slow(0, 20)
    using tensor = bytesOn(device, 4)
    const event = device.defaultStream.record()
    event.dispose()
    await expect(event.synchronize()).rejects.toThrow(DisposedError)
    expect(() => device.defaultStream.wait(event)).toThrow(DisposedError)
    expect(tensor.size).toBe(4)
  })

  it('is refused by streams of other devices', async () => {
    const event = device.defaultStream.record()
    await using second = new CudaDevice()
    await using cpu = await Device.open({ kind: 'cpu' })
    expect(() => second.defaultStream.wait(event)).toThrow(DeviceError)
    expect(() => device.defaultStream.wait(cpu.defaultStream.record())).toThrow(DeviceError)
    await event.synchronize()
  })
})
