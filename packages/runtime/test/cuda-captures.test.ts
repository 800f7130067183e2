import type { Tensor } from '@deepgemm/core'
import { ArgumentList, CudaDevice, type CudaStream } from '@deepgemm/runtime/cuda'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  bytesOn,
  cubin,
  type FakeCuda,
  installFakeCuda,
  settledLeaks,
} from './support/fake-cuda.js'

let fake: FakeCuda
let device: CudaDevice
let stream: CudaStream

beforeAll(async () => {
  fake = await installFakeCuda()
}, 300_000)

beforeEach(() => {
  device = new CudaDevice()
  stream = device.createStream('captured')
})

afterEach(async () => {
  expect(device.lost).toBeUndefined()
  await device.dispose()
  const left = await settledLeaks(fake)
  fake.reset()
  expect(left).toEqual({})
})

/** Enqueues a kernel that fills the tensor with ones. */
function fill(tensor: Tensor, on: CudaStream): void {
  using module = device.loadModule(cubin)
  const args = new ArgumentList().pointer(tensor).i64(tensor.byteLength).u32(1)
  module.kernel('fill').launch(args, { grid: [1], block: [1] }, on)
}

/** Keeps the event loop busy while other threads go on. */
function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

// What is let go of is freed on a thread of its own, in the order of the stream that used it.
describe('while a stream captures', () => {
  it('what an earlier graph held is freed, and not by the new one', async () => {
    const held = bytesOn(device, 4)
    using target = bytesOn(device, 4)
    const earlier = device.capture((on) => fill(held, on), stream)
    fake.slow(0, 20)
    earlier.launch(stream)
    earlier.dispose()
    held.dispose()
    using graph = device.capture((on) => {
      block(200)
      fill(target, on)
    }, stream)
    fake.slow(0, 0)
    for (let i = 0; i < 3; i++) graph.launch(stream)
    await stream.synchronize()
    expect(await target.toBytes()).toEqual(Uint8Array.of(1, 1, 1, 1))
  })

  it('memory of several streams is freed without a wait for the capture', async () => {
    const shared = bytesOn(device, 4)
    using target = bytesOn(device, 4)
    fake.slow(0, 20)
    fill(shared, device.defaultStream)
    fill(shared, stream)
    using graph = device.capture((on) => {
      shared.dispose()
      block(200)
      fill(target, on)
    }, stream)
    fake.slow(0, 0)
    graph.launch(stream)
    await stream.synchronize()
    expect(await target.toBytes()).toEqual(Uint8Array.of(1, 1, 1, 1))
  })

  it('memory that it used before can be read and disposed', async () => {
    const [read, dropped] = [bytesOn(device, 2), bytesOn(device, 2)]
    using target = bytesOn(device, 2)
    for (const used of [read, dropped]) fill(used, stream)
    let bytes: Promise<Uint8Array> | undefined
    using graph = device.capture((on) => {
      bytes = read.toBytes()
      dropped.dispose()
      fill(target, on)
    }, stream)
    expect(await bytes).toEqual(Uint8Array.of(1, 1))
    graph.launch(stream)
    await stream.synchronize()
    expect(await target.toBytes()).toEqual(Uint8Array.of(1, 1))
    read.dispose()
  })
})
