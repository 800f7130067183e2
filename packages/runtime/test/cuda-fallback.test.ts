import { Device } from '@deepgemm/runtime'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type FakeCuda, fakeLibrary, installFakeCuda, STATUS } from './support/fake-cuda.js'

let fake: FakeCuda

beforeAll(async () => {
  fake = await installFakeCuda()
}, 300_000)

afterEach(() => {
  fake.reset()
  vi.restoreAllMocks()
  vi.stubEnv('DEEPGEMM_CUDA_LIBRARY', fakeLibrary)
  vi.stubEnv('DEEPGEMM_DEVICE', '')
})

/** What a process that opens the default device is warned of; it must get the CPU. */
async function warnings(open: () => Promise<Device>): Promise<readonly string[]> {
  const said: string[] = []
  vi.spyOn(process, 'emitWarning').mockImplementation((text) => void said.push(String(text)))
  await using device = await open()
  expect(device.kind).toBe('cpu')
  return said
}

describe('without a usable GPU the default device', () => {
  // It warns once per process: every test has a fresh copy of the module that does.
  let open: () => Promise<Device>
  beforeEach(async () => {
    vi.resetModules()
    open = (await import('@deepgemm/runtime')).Device.open
  })

  it('is the CPU, without a word, where no GPU is there', async () => {
    fake.configure({ devices: 0 })
    expect(await warnings(open)).toEqual([])
    fake.fail('cuInit', 1, STATUS.noDevice)
    expect(await warnings(open)).toEqual([])
  })

  it('is the CPU, without a word, beside a GPU of another architecture', async () => {
    fake.configure({ major: 8 })
    expect(await warnings(open)).toEqual([])
  })

  it('is the CPU, with one warning that says why, when the driver is too old', async () => {
    fake.configure({ version: 12_020 })
    expect(await warnings(open)).toEqual([
      'The GPU cannot be used, so the CPU computes: a driver for CUDA 12.2. Update the NVIDIA ' +
        'driver to 545 or newer. DEEPGEMM_DEVICE=cpu asks for the CPU without this warning.',
    ])
    expect(await warnings(open)).toEqual([])
  })

  it.each([
    ['the driver fails', () => fake.fail('cuInit', 1, STATUS.unknown), /CUDA_ERROR_UNKNOWN/],
    ['memory pools are missing', () => fake.configure({ pools: false }), /no memory pools/],
    [
      'a chosen driver library is not there',
      () => vi.stubEnv('DEEPGEMM_CUDA_LIBRARY', '/nowhere/libcuda.so.1'),
      /\/nowhere\/libcuda.so.1: .*DEEPGEMM_CUDA_LIBRARY/,
    ],
  ])('is the CPU, with a warning, when %s', async (_, arrange, said) => {
    arrange()
    expect(await warnings(open)).toEqual([expect.stringMatching(said)])
  })

  it('is not warned of when the CPU was asked for', async () => {
    fake.configure({ version: 12_020 })
    expect(await warnings(() => Device.open({ kind: 'cpu' }))).toEqual([])
    vi.stubEnv('DEEPGEMM_DEVICE', 'cpu')
    expect(await warnings(open)).toEqual([])
  })
})
