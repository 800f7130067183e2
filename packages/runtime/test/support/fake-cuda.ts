import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Tensor } from '@deepgemm/core'
import type { CudaDevice } from '@deepgemm/runtime/cuda'
import { vi } from 'vitest'

const run = promisify(execFile)
const home = fileURLToPath(new URL('../..', import.meta.url))

/** Folder of a build with sanitizers, see scripts/sanitize.mjs; it brings its own fake driver. */
const sanitized = process.env['SANITIZED_BUILD']

/** The fake driver's library, which is also an addon with these controls. */
export const fakeLibrary: string = join(
  sanitized ?? join(home, 'build', 'Release'),
  'fake_cuda.node',
)

export type FakeCuda = {
  reset(): void
  configure(properties: {
    version?: number
    devices?: number
    major?: number
    minor?: number
    pools?: boolean
    memoryBytes?: number
  }): void
  /** The nth of that call from now on answers `status`. */
  fail(call: string, nth: number, status: number): void
  /** The next kernel that runs fails, and with it the device. */
  failLater(status: number): void
  slow(callMilliseconds: number, workMilliseconds: number): void
  calls(): Record<string, number>
  live(): Record<string, number>
  /** Arguments of the last kernel of the library that ran. */
  lastArguments(): Uint8Array
  lastLaunch():
    | {
        grid: number[]
        block: number[]
        sharedBytes: number
        clusterBlocks: number
        programmatic: boolean
      }
    | undefined
}

export const STATUS = { outOfMemory: 2, noDevice: 100, illegalAddress: 700, unknown: 999 } as const

/** A cubin as far as the fake driver is concerned. */
export const cubin: Uint8Array = Uint8Array.from(
  { length: 64 },
  (_, i) => [0x7f, 0x45, 0x4c, 0x46][i] ?? 0,
)

/** Builds the fake driver and makes it the process's CUDA driver and NVRTC. */
export async function installFakeCuda(): Promise<FakeCuda> {
  if (sanitized === undefined) {
    await run(process.execPath, [join(home, 'scripts', 'build-native.mjs'), 'fake_cuda'], {
      cwd: home,
    })
  }
  vi.stubEnv('DEEPGEMM_CUDA_LIBRARY', fakeLibrary)
  vi.stubEnv('DEEPGEMM_NVRTC_LIBRARY', fakeLibrary)
  return createRequire(import.meta.url)(fakeLibrary) as FakeCuda
}

/** What the fake driver still has, without what counts zero. */
export function leaks(fake: FakeCuda): Record<string, number> {
  return Object.fromEntries(Object.entries(fake.live()).filter(([, count]) => count !== 0))
}

/** Waits until the fake driver has nothing left, at most ten seconds, and returns what is left. */
export async function settledLeaks(fake: FakeCuda): Promise<Record<string, number>> {
  for (let i = 0; i < 1000 && Object.keys(leaks(fake)).length > 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return leaks(fake)
}

/** A u8 tensor of zeros. */
export function bytesOn(device: CudaDevice, count: number, label = 'bytes'): Tensor<'u8'> {
  return device.zeros({ dtype: 'u8', shape: [count], label })
}
