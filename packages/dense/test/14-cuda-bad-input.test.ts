// Everything that can be wrong between a program and its GPU, one by one: a typed error that says
// what to do, or a way around that is documented. The process goes on.

import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CompileError,
  type DeepGemmError,
  DeviceError,
  DisposedError,
  LayoutError,
} from '@deepgemm/core'
import { fp8GemmNT, planGemm } from '@deepgemm/dense'
import { allocateQuantized, Device } from '@deepgemm/runtime'
import { CudaLaunchError, CudaMemoryError, DeviceLostError } from '@deepgemm/runtime/cuda'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { fakeLibrary, STATUS } from '../../runtime/test/support/fake-cuda.js'
import { useFakeGpu } from '../../runtime/test/support/fake-gpu.js'

const gpu = useFakeGpu()
const folders: string[] = []

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'deepgemm-bad-'))
  folders.push(made)
  return made
}

afterEach(() => {
  vi.stubEnv('DEEPGEMM_CACHE_DIR', gpu.cache)
  vi.stubEnv('DEEPGEMM_CUDA_LIBRARY', fakeLibrary)
  vi.stubEnv('DEEPGEMM_NVRTC_LIBRARY', fakeLibrary)
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true })
})

async function refusal<E extends DeepGemmError>(
  act: () => unknown,
  type: new (...args: never[]) => E,
): Promise<E> {
  const error = await Promise.resolve()
    .then(act)
    .then(
      () => undefined,
      (reason: unknown) => reason,
    )
  expect(error).toBeInstanceOf(type)
  return error as E
}

const spec = { n: 256, k: 512, m: { max: 8 } } as const

function operands(device: Device = gpu.device, k: number = spec.k) {
  return {
    a: allocateQuantized(device, { shape: [8, k], recipe: '1x128', label: 'tokens' }),
    b: allocateQuantized(device, { shape: [spec.n, k], recipe: '128x128', label: 'weights' }),
    out: device.zeros({ dtype: 'bf16', shape: [8, spec.n], label: 'logits' }),
  }
}

function freed({ a, b, out }: ReturnType<typeof operands>): void {
  for (const owned of [a, b, out]) owned.dispose()
}

describe('without a GPU that can be used', () => {
  const open = () => Device.open({ kind: 'cuda' })

  it('no driver is told with what to do, and the CPU still works', async () => {
    vi.stubEnv('DEEPGEMM_CUDA_LIBRARY', '/nowhere/libcuda.so.1')
    const error = await refusal(open, DeviceError)
    expect(error.code).toBe('ERR_NO_DRIVER')
    expect(error.remedy).toBeDefined()
    await using cpu = await Device.open({ kind: 'cpu' })
    expect(cpu.kind).toBe('cpu')
  })

  it('a driver that is too old is told with the version it has to be', async () => {
    gpu.fake.configure({ version: 12_020 })
    const error = await refusal(open, DeviceError)
    expect(error.code).toBe('ERR_DRIVER_TOO_OLD')
    expect(error.message).toMatch(/12\.2.*12\.3/s)
  })

  it('another GPU than Hopper is named', async () => {
    gpu.fake.configure({ major: 8, minor: 6 })
    const error = await refusal(open, DeviceError)
    expect(error.message).toMatch(/8\.6/)
    expect(error.remedy).toBeDefined()
  })
})

describe('when kernels cannot be had', () => {
  it('no compiler and a cold cache lists where compilers were looked for', async () => {
    vi.stubEnv('DEEPGEMM_CACHE_DIR', folder())
    vi.stubEnv('DEEPGEMM_NVRTC_LIBRARY', '/nowhere/libnvrtc.so')
    const error = await refusal(() => planGemm(gpu.device, spec), CompileError)
    expect(error.code).toBe('ERR_NO_COMPILER')
    expect(error.message).toContain('/nowhere/libnvrtc.so')
    // Once there is a compiler, the same device plans.
    vi.stubEnv('DEEPGEMM_NVRTC_LIBRARY', fakeLibrary)
    const { fake } = gpu
    await using later = await Device.open({ kind: 'cuda' })
    expect((await planGemm(later, spec)).configs.length).toBeGreaterThan(0)
    expect(fake.calls()['nvrtcCompileProgram']).toBeGreaterThan(0)
  })

  it('a compiler that fails is told with the config, and the next try may succeed', async () => {
    vi.stubEnv('DEEPGEMM_CACHE_DIR', folder())
    gpu.fake.fail('nvrtcCompileProgram', 1, 6)
    const error = await refusal(() => planGemm(gpu.device, spec), CompileError)
    expect(error.message).toMatch(/kBlockLeft=|config/)
    expect((await planGemm(gpu.device, spec)).configs.length).toBeGreaterThan(0)
  })

  it('a cache that cannot be written keeps nothing, and says so once', async () => {
    const cache = folder()
    mkdirSync(join(cache, 'v1'))
    chmodSync(join(cache, 'v1'), 0o777)
    chmodSync(cache, 0o777)
    vi.stubEnv('DEEPGEMM_CACHE_DIR', cache)
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    expect((await planGemm(gpu.device, spec)).configs.length).toBeGreaterThan(0)
    expect(warned.mock.calls.flat().join(' ')).toMatch(/cache/)
    warned.mockRestore()
    expect(readdirSync(join(cache, 'v1'))).toEqual([])
  })

  it('a damaged cache entry is compiled anew', async () => {
    const cache = folder()
    vi.stubEnv('DEEPGEMM_CACHE_DIR', cache)
    await planGemm(gpu.device, spec)
    const entries = join(cache, 'v1')
    const cubins = readdirSync(entries).filter((name) => name.endsWith('.cubin'))
    for (const name of cubins) appendFileSync(join(entries, name), 'x')
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const sources: string[] = []
    await using fresh = await Device.open({ kind: 'cuda' })
    await planGemm(fresh, { ...spec, onProgress: ({ source }) => sources.push(source) })
    expect(new Set(sources)).toEqual(new Set(['compiled']))
    warned.mockRestore()
  })
})

describe('when a product cannot be enqueued', () => {
  it('memory that is not there is told with what lives on the device', async () => {
    const tooMuch = { dtype: 'f32', shape: [2 ** 26], label: 'activations' } as const
    const error = await refusal(() => gpu.device.zeros(tooMuch), CudaMemoryError)
    expect(error.code).toBe('ERR_OUT_OF_MEMORY')
    expect(error.message).toMatch(/activations.*live on cuda/)
  })

  it('memory that is not there for the output frees what was allocated', async () => {
    const given = operands()
    await planGemm(gpu.device, spec)
    const before = gpu.device.memory().liveBytes
    gpu.fake.fail('cuMemAllocFromPoolAsync', 1, STATUS.outOfMemory)
    await refusal(() => fp8GemmNT(given.a, given.b), CudaMemoryError)
    expect(gpu.device.memory().liveBytes).toBe(before)
    freed(given)
  })

  it('a disposed buffer is named, before and after it was used', async () => {
    const plan = await planGemm(gpu.device, spec)
    const given = operands()
    plan.run(given)
    given.a.dispose()
    const error = await refusal(() => plan.run(given), DisposedError)
    expect(error.message).toContain('tokens values')
    freed(given)
  })

  it('a buffer of another device is told with both devices', async () => {
    const plan = await planGemm(gpu.device, spec)
    await using other = await Device.open({ kind: 'cuda' })
    await using cpu = await Device.open({ kind: 'cpu' })
    const given = operands()
    for (const foreign of [operands(other), operands(cpu)]) {
      for (const name of ['a', 'b', 'out'] as const) {
        const run = { ...given, [name]: foreign[name] }
        const error = await refusal(() => plan.run(run), DeviceError)
        expect(error.message).toContain(gpu.device.id)
      }
      freed(foreign)
    }
    freed(given)
  })

  it('a view that bulk copies cannot read is told with its alignment', async () => {
    const plan = await planGemm(gpu.device, spec)
    const given = operands()
    const wide = gpu.device.zeros({ dtype: 'bf16', shape: [8, spec.n + 8] })
    const error = await refusal(
      () => plan.run({ ...given, out: wide.slice(1, 4, spec.n + 4) }),
      LayoutError,
    )
    expect(error.message).toMatch(/byte offset 8.*multiples of 16 bytes/)
    freed(given)
    wide.dispose()
  })

  it('a launch that fails names the kernel and its config, and the next one runs', async () => {
    const plan = await planGemm(gpu.device, spec)
    const given = operands()
    for (const turn of ['first', 'again']) {
      gpu.fake.fail('cuLaunchKernelEx', 1, STATUS.unknown)
      const error = await refusal(() => plan.run(given), CudaLaunchError)
      expect(error.message, turn).toMatch(
        /Could not launch fp8_gemm \{.*kBlockLeft: .*on stream default.*CUDA_ERROR_UNKNOWN/,
      )
      plan.run(given)
    }
    await gpu.device.synchronize()
    freed(given)
  })

  it('a kernel that fails later loses the device, and says which kernels were in flight', async () => {
    await using device = await Device.open({ kind: 'cuda' })
    const plan = await planGemm(device, spec)
    const given = operands(device)
    gpu.fake.failLater(STATUS.illegalAddress)
    plan.run(given)
    const error = await refusal(() => device.synchronize(), DeviceLostError)
    expect(error.message).toMatch(/CUDA_ERROR_ILLEGAL_ADDRESS.*in flight: fp8_gemm \{/)
    await refusal(() => plan.run(given), DeviceLostError)
    freed(given)
    gpu.fake.reset()
  })
})
