import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Device } from '@deepgemm/runtime'
import { CudaDevice } from '@deepgemm/runtime/cuda'
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest'
import { type FakeCuda, installFakeCuda, settledLeaks } from './fake-cuda.js'

/** The fake driver, and a device of it that each test has for itself. */
export type FakeGpu = {
  readonly fake: FakeCuda
  readonly device: CudaDevice
  /** Where its kernels are kept. */
  readonly cache: string
}

/**
 * Sets a file's tests up with the fake driver: what it returns is filled when a test runs. After each
 * test its device must have nothing left; hooks of the file itself come before that.
 */
export function useFakeGpu(): FakeGpu {
  const cache = mkdtempSync(join(tmpdir(), 'deepgemm-gpu-'))
  const gpu = { cache } as { -readonly [K in keyof FakeGpu]: FakeGpu[K] }

  beforeAll(async () => {
    gpu.fake = await installFakeCuda()
    vi.stubEnv('DEEPGEMM_CACHE_DIR', cache)
    vi.stubEnv('DEEPGEMM_COMPILER', 'nvrtc')
  }, 300_000)

  afterAll(() => {
    vi.unstubAllEnvs()
    rmSync(cache, { recursive: true, force: true })
  })

  beforeEach(async () => {
    const opened = await Device.open({ kind: 'cuda' })
    if (!(opened instanceof CudaDevice)) throw new Error('the fake GPU is none')
    gpu.device = opened
  })

  afterEach(async () => {
    await gpu.device.dispose()
    expect(gpu.device.memory().buffers).toEqual([])
    const left = await settledLeaks(gpu.fake)
    gpu.fake.reset()
    expect(left).toEqual({})
  })
  return gpu
}
