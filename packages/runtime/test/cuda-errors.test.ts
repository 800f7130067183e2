import {
  ArgumentList,
  CudaDevice,
  CudaError,
  CudaLaunchError,
  DeviceLostError,
} from '@deepgemm/runtime/cuda'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  bytesOn,
  cubin,
  type FakeCuda,
  installFakeCuda,
  STATUS,
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

const one = { grid: [1], block: [1] } as const
const config = { block_m: 128, swap: true }

/** Enqueues a fill on the default stream. */
function launchFill(tensor: ReturnType<typeof bytesOn>): void {
  using module = device.loadModule(cubin)
  const args = new ArgumentList().pointer(tensor).i64(tensor.byteLength).u32(1)
  module.kernel('fill', { config }).launch(args, one)
}

describe('a launch that the driver refuses', () => {
  it('names the call, the status, the kernel and its config, and the device goes on', async () => {
    using tensor = bytesOn(device, 2)
    fake.fail('cuLaunchKernelEx', 1, STATUS.unknown)
    expect(() => launchFill(tensor)).toThrow(CudaLaunchError)
    fake.fail('cuLaunchKernelEx', 1, STATUS.unknown)
    expect(() => launchFill(tensor)).toThrow(
      'Could not launch fill {block_m: 128, swap: true} on stream default: ' +
        'given CUDA_ERROR_UNKNOWN from cuLaunchKernelEx (as the fake driver was told)',
    )
    launchFill(tensor)
    expect(await tensor.toBytes()).toEqual(Uint8Array.of(1, 1))
  })

  it('carries the facts as properties', () => {
    using tensor = bytesOn(device, 2)
    fake.fail('cuLaunchKernelEx', 1, STATUS.unknown)
    try {
      launchFill(tensor)
      expect.unreachable()
    } catch (error) {
      expect(error).toMatchObject({
        code: 'ERR_LAUNCH',
        status: 'CUDA_ERROR_UNKNOWN',
        call: 'cuLaunchKernelEx',
        kernels: [{ kernel: 'fill', config, stream: 'default' }],
      })
    }
  })
})

describe('a kernel that fails while it runs', () => {
  it('loses the device, and the error names the kernels in flight', async () => {
    using tensor = bytesOn(device, 2)
    launchFill(tensor)
    await device.synchronize()
    fake.failLater(STATUS.illegalAddress)
    launchFill(tensor)
    const waiting = device.defaultStream.synchronize()
    await expect(waiting).rejects.toBeInstanceOf(DeviceLostError)
    await expect(waiting).rejects.toMatchObject({
      code: 'ERR_DEVICE_LOST',
      status: 'CUDA_ERROR_ILLEGAL_ADDRESS',
      kernels: [{ kernel: 'fill', config, stream: 'default' }],
    })
    await expect(waiting).rejects.toThrow(/in flight: fill \{block_m: 128, swap: true\} on stream/)
  })

  it('reaches everyone who waits, and later calls without asking the driver', async () => {
    using tensor = bytesOn(device, 2)
    fake.slow(0, 20)
    fake.failLater(STATUS.illegalAddress)
    launchFill(tensor)
    const event = device.defaultStream.record()
    const waits = [event.synchronize(), device.defaultStream.synchronize(), tensor.toBytes()]
    for (const { status } of await Promise.allSettled(waits)) expect(status).toBe('rejected')
    expect(device.lost).toBeInstanceOf(DeviceLostError)
    const before = fake.calls()
    expect(() => bytesOn(device, 1)).toThrow(DeviceLostError)
    expect(() => device.createStream()).toThrow(/is lost.*start a new process/)
    await expect(tensor.toBytes()).rejects.toBe(device.lost)
    expect(fake.calls()).toEqual(before)
  })

  it('names the kernels of a graph', async () => {
    using tensor = bytesOn(device, 2)
    using module = device.loadModule(cubin)
    const args = new ArgumentList().pointer(tensor).i64(2).u32(1)
    using graph = device.capture((stream) => {
      module.kernel('fill', { config }).launch(args, one, stream)
    })
    await device.synchronize()
    fake.failLater(STATUS.illegalAddress)
    graph.launch()
    await expect(device.synchronize()).rejects.toThrow(/in flight: fill \{block_m: 128/)
  })
})

describe('memory that a kernel should not touch', () => {
  it('loses the device also in the fake driver, so that other tests mean something', async () => {
    using tensor = bytesOn(device, 2)
    using module = device.loadModule(cubin)
    const args = new ArgumentList().pointer(tensor).i64(3).u32(1)
    module.kernel('fill').launch(args, one)
    await expect(tensor.toBytes()).rejects.toThrow(CudaError)
  })
})
