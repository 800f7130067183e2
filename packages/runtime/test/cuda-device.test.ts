import { DeviceError, DisposedError, OptionError } from '@deepgemm/core'
import { Device } from '@deepgemm/runtime'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  type FakeCuda,
  fakeLibrary,
  installFakeCuda,
  STATUS,
  settledLeaks,
} from './support/fake-cuda.js'

let fake: FakeCuda

beforeAll(async () => {
  fake = await installFakeCuda()
}, 300_000)

afterEach(() => {
  fake.reset()
  vi.stubEnv('DEEPGEMM_CUDA_LIBRARY', fakeLibrary)
  vi.stubEnv('DEEPGEMM_DEVICE', '')
})

async function cuda() {
  return (await Device.list()).filter(({ kind }) => kind === 'cuda')
}

/** Why opening failed, as code and message. */
async function refusal(): Promise<string> {
  const error = await Device.open({ kind: 'cuda' }).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(DeviceError)
  const { code, message } = error as DeviceError
  return `${code} ${message}`
}

describe('a machine with a Hopper GPU', () => {
  it('lists it with its architecture and multiprocessors', async () => {
    expect(await cuda()).toEqual([
      { kind: 'cuda', name: 'Fake H100', architecture: 'sm_90', parallelism: 132 },
    ])
  })

  it.each([undefined, 'auto', 'cuda'] as const)('opens it, asked for %s', async (kind) => {
    await using device = await Device.open(kind === undefined ? {} : { kind })
    expect(device).toMatchObject({ kind: 'cuda', name: 'Fake H100', parallelism: 132 })
    expect(device.defaultStream.device.id).toBe(device.id)
  })

  it('opens the CPU when that is asked for, by kind or by options that only a CPU has', async () => {
    for (const options of [
      { kind: 'cpu' },
      { threads: 1 },
      { kind: 'auto', threads: 1 },
    ] as const) {
      await using device = await Device.open(options)
      expect(device.kind).toBe('cpu')
    }
  })

  it('opens what DEEPGEMM_DEVICE says', async () => {
    for (const kind of ['cpu', 'cuda'] as const) {
      vi.stubEnv('DEEPGEMM_DEVICE', kind)
      await using device = await Device.open()
      expect(device.kind).toBe(kind)
    }
  })

  it('takes no options of the CPU for it', async () => {
    await expect(Device.open({ kind: 'cuda', threads: 2 })).rejects.toThrow(OptionError)
  })

  it('has nothing left of a device that was disposed', async () => {
    const device = await Device.open({ kind: 'cuda' })
    device.zeros({ dtype: 'f32', shape: [4] }).dispose()
    await device.dispose()
    await device.dispose()
    expect(await settledLeaks(fake)).toEqual({})
    expect(() => device.createStream()).toThrow(DisposedError)
  })
})

describe('a machine without a usable GPU', () => {
  it('lists no CUDA device when there is no driver or no GPU', async () => {
    fake.configure({ devices: 0 })
    expect(await cuda()).toEqual([])
    expect(await refusal()).toMatch(/^ERR_NO_DRIVER .*drives no device/)
    fake.fail('cuInit', 1, STATUS.noDevice)
    expect(await cuda()).toEqual([])
  })

  it('names a chosen driver library that is not there, and the remedy', async () => {
    vi.stubEnv('DEEPGEMM_CUDA_LIBRARY', '/nowhere/libcuda.so.1')
    const [info] = await cuda()
    expect(info?.problem).toMatch(/\/nowhere\/libcuda.so.1: .*No such file.*DEEPGEMM_CUDA_LIBRARY/)
    expect(await refusal()).toMatch(/^ERR_NO_DRIVER /)
  })

  it('takes no relative path of a driver library', async () => {
    vi.stubEnv('DEEPGEMM_CUDA_LIBRARY', 'libcuda.so.1')
    await expect(Device.list()).rejects.toThrow(OptionError)
    await expect(Device.open({ kind: 'cuda' })).rejects.toThrow(/not an absolute path/)
  })

  it('says that a library is no driver', async () => {
    vi.stubEnv('DEEPGEMM_CUDA_LIBRARY', fakeLibrary.replace('fake_cuda', 'deepgemm_runtime'))
    expect(await refusal()).toMatch(/ERR_NO_DRIVER .*it is not a CUDA driver library/)
  })

  it('asks for a newer driver', async () => {
    fake.configure({ version: 12_020 })
    expect((await cuda())[0]?.problem).toMatch(/a driver for CUDA 12.2. Update the NVIDIA driver/)
    expect(await refusal()).toMatch(/^ERR_DRIVER_TOO_OLD .*given a driver for CUDA 12.2/)
  })

  it.each([
    [8, 0],
    [8, 9],
    [10, 0],
  ])('says that compute capability %i.%i is not Hopper', async (major, minor) => {
    fake.configure({ major, minor })
    const [info] = await cuda()
    expect(info?.architecture).toBe(`sm_${major}${minor}`)
    expect(info?.problem).toContain(`Fake H100 of compute capability ${major}.${minor}`)
    expect(await refusal()).toMatch(/^ERR_NO_HOPPER .*use the CPU device/)
  })

  it('says that memory pools are missing', async () => {
    fake.configure({ pools: false })
    expect(await refusal()).toMatch(/^ERR_NO_MEMORY_POOLS /)
  })

  it('passes on what a failing driver says', async () => {
    fake.fail('cuDeviceGetCount', 1, STATUS.unknown)
    expect((await cuda())[0]?.problem).toMatch(/CUDA_ERROR_UNKNOWN from cuDeviceGetCount/)
    fake.fail('cuInit', 1, STATUS.unknown)
    expect(await refusal()).toMatch(/^ERR_DRIVER_FAILED .*CUDA_ERROR_UNKNOWN from cuInit/)
  })
})
