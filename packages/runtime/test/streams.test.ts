import { DeviceError, DisposedError, RecipeError, type Tensor } from '@deepgemm/core'
import { allocateQuantized, allocateScales, Device, resolveStream } from '@deepgemm/runtime'
import { cpuConvertFloats, cpuQueue, cpuRelayoutScales } from '@deepgemm/runtime/cpu'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const COUNT = 1 << 20

let device: Device

beforeAll(async () => {
  device = await Device.open({ kind: 'cpu' })
})

afterAll(async () => {
  await device.dispose()
})

function convert(from: Tensor, to: Tensor, stream = device.defaultStream): void {
  cpuConvertFloats(cpuQueue(device, stream), from as never, to as never)
}

function ones(): Tensor<'f32'> {
  return device.tensor(new Float32Array(COUNT).fill(1), { dtype: 'f32', shape: [COUNT] })
}

function empty<D extends 'f32' | 'bf16'>(dtype: D): Tensor<D> {
  return device.zeros({ dtype, shape: [COUNT] })
}

describe('a stream', () => {
  it('runs its work in order', async () => {
    using source = ones()
    using half = empty('bf16')
    using back = empty('f32')
    convert(source, half)
    convert(half, back)
    await device.defaultStream.synchronize()
    expect((await back.toFloat32Array()).every((x) => x === 1)).toBe(true)
  })

  it('lets a read wait for the work that writes the tensor', async () => {
    using source = ones()
    using half = empty('bf16')
    convert(source, half)
    expect((await half.toFloat32Array())[COUNT - 1]).toBe(1)
  })

  it('keeps memory alive for enqueued work after dispose', async () => {
    const source = ones()
    const half = empty('bf16')
    using back = empty('f32')
    convert(source, half)
    convert(half, back)
    source.dispose()
    half.dispose()
    expect((await back.toFloat32Array())[COUNT - 1]).toBe(1)
  })

  it('waits for events of other streams', async () => {
    using first = device.createStream('first')
    using second = device.createStream('second')
    using source = ones()
    using half = empty('bf16')
    using back = empty('f32')
    convert(source, half, first)
    second.wait(first.record())
    convert(half, back, second)
    await second.synchronize()
    expect((await back.toFloat32Array())[0]).toBe(1)
  })

  it('records events that tell when they are done', async () => {
    const event = device.defaultStream.record()
    await event.synchronize()
    expect(event.done).toBe(true)
  })

  it('settles many waits at once', async () => {
    const waits = Array.from({ length: 100 }, () => device.defaultStream.synchronize())
    expect(await Promise.all(waits)).toHaveLength(100)
  })

  it('leaves the event loop free while it works', async () => {
    using source = ones()
    using half = empty('bf16')
    for (let i = 0; i < 400; i++) convert(source, half)
    let ticks = 0
    const timer = setInterval(() => ticks++, 1)
    await device.defaultStream.synchronize()
    clearInterval(timer)
    expect(ticks).toBeGreaterThan(0)
  })

  it('fails no read of what was written before the work that failed', async () => {
    const spec = { shape: [1, 128], recipe: '1x128', orientation: 'k-major' } as const
    using quantized = allocateQuantized(device, spec) // scales of zero are no powers of two
    using source = ones()
    using half = empty('bf16')
    const target = allocateScales(device, { ...spec, scaleDType: 'ue8m0' })
    convert(source, half)
    cpuRelayoutScales(cpuQueue(device), quantized.scales, target, spec.shape)
    expect((await half.toFloat32Array())[0]).toBe(1)
    await expect(device.defaultStream.synchronize()).rejects.toThrow(RecipeError)
    target.dispose()
  })

  it('rejects once with what failed in its work, then goes on', async () => {
    const spec = { shape: [1, 128], recipe: '1x128', orientation: 'k-major' } as const
    const quantized = allocateQuantized(device, spec)
    await quantized.scales.tensor.storage.write(0, new Uint8Array(Float32Array.of(3).buffer))
    const target = allocateScales(device, { ...spec, scaleDType: 'ue8m0' })
    const queue = cpuQueue(device)
    cpuRelayoutScales(queue, quantized.scales, target, spec.shape)
    await expect(device.defaultStream.synchronize()).rejects.toThrow(RecipeError)
    await device.defaultStream.synchronize()
    quantized.dispose()
    target.dispose()
  })

  it('takes no work after it was disposed, and finishes what it has', async () => {
    const stream = device.createStream('short-lived')
    using source = ones()
    using half = empty('bf16')
    convert(source, half, stream)
    const done = stream.synchronize()
    stream.dispose()
    stream.dispose()
    await done
    expect(() => convert(source, half, stream)).toThrow(DisposedError)
    expect(() => stream.record()).toThrow(/short-lived was disposed/)
    await expect(stream.synchronize()).rejects.toThrow(DisposedError)
  })

  it('belongs to one device', async () => {
    await using other = await Device.open({ kind: 'cpu', threads: 1 })
    expect(() => resolveStream(device, other.defaultStream)).toThrow(DeviceError)
  })

  it('can be made and dropped by the hundred', async () => {
    for (let i = 0; i < 300; i++) {
      using stream = device.createStream()
      await stream.synchronize()
    }
    expect(device.memory().liveBytes).toBeGreaterThanOrEqual(0)
  })
})
