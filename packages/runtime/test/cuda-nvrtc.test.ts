import { CompileError, OptionError } from '@deepgemm/core'
import { type NvrtcLibrary, openNvrtc } from '@deepgemm/runtime/cuda'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type FakeCuda, fakeLibrary, installFakeCuda, leaks } from './support/fake-cuda.js'

let fake: FakeCuda

/** The machine's own, asked for before the fake one takes its place. */
const real = (() => {
  try {
    return openNvrtc()
  } catch (error) {
    console.log(`Tests of the real NVRTC are left out: ${(error as Error).message}`)
    return undefined
  }
})()

beforeAll(async () => {
  fake = await installFakeCuda()
}, 300_000)

afterEach(() => {
  expect(leaks(fake)).toEqual({})
  fake.reset()
})

describe('NVRTC', () => {
  it('tells its version and compiles with the options it is given', async () => {
    const nvrtc = openNvrtc()
    expect(nvrtc).toMatchObject({ path: fakeLibrary, version: [12, 8] })
    const { cubin, log } = await nvrtc.compile('kernel', 'kernel.cu', ['--std=c++20', '-O3'])
    expect(Buffer.from(cubin as Uint8Array).toString()).toMatch(/^\x7fELF.*kernel$/s)
    expect(log).toBe('--std=c++20\n-O3\n')
  })

  it('gives the log of a source that does not compile', async () => {
    const { cubin, log } = await openNvrtc().compile('#error', 'kernel.cu', [])
    expect(cubin).toBeUndefined()
    expect(log).toBe('kernel.cu(1): error: #error')
  })

  it('leaves the event loop free', async () => {
    const nvrtc = openNvrtc()
    fake.slow(30, 0)
    let ticks = 0
    const timer = setInterval(() => ticks++, 5)
    await nvrtc.compile('kernel', 'kernel.cu', [])
    clearInterval(timer)
    expect(ticks).toBeGreaterThan(5)
  })

  it('compiles many sources at once', async () => {
    const nvrtc = openNvrtc()
    const sources = Array.from({ length: 32 }, (_, i) => `kernel ${i}.`)
    const results = await Promise.all(sources.map((text) => nvrtc.compile(text, 'kernel.cu', [])))
    results.forEach(({ cubin }, i) => {
      expect(Buffer.from(cubin as Uint8Array).toString()).toContain(`kernel ${i}.`)
    })
  })

  it('that fails otherwise says in which call', async () => {
    const nvrtc = openNvrtc()
    fake.fail('nvrtcGetCUBIN', 1, 11)
    const failure = nvrtc.compile('kernel', 'kernel.cu', [])
    await expect(failure).rejects.toThrow(CompileError)
    await expect(failure).rejects.toThrow(/NVRTC failed: given nvrtcGetCUBIN: NVRTC_ERROR_INTERNAL/)
  })

  it('that is not there is said with every place looked at', () => {
    const open = (path: string) => openNvrtc({ DEEPGEMM_NVRTC_LIBRARY: path })
    expect(() => open('/nowhere/libnvrtc.so')).toThrow(/tried \/nowhere\/libnvrtc.so \(.*No such/)
    expect(() => open('libnvrtc.so')).toThrow(OptionError)
    const other = fakeLibrary.replace('fake_cuda', 'deepgemm_runtime')
    expect(() => open(other)).toThrow(/it lacks nvrtcVersion/)
  })
})

describe.runIf(real !== undefined)('the real NVRTC', () => {
  const compile = async (source: string) =>
    (real as NvrtcLibrary).compile(source, 'k.cu', ['--gpu-architecture=sm_90a'])

  it('makes a cubin for Hopper', async () => {
    const source = 'extern "C" __global__ void k(float* x) { x[threadIdx.x] *= 2.f; }'
    const { cubin, log } = await compile(source)
    expect(log).toBe('')
    expect(cubin?.subarray(0, 4)).toEqual(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46))
  })

  it('quotes the error of a source that does not compile', async () => {
    const { cubin, log } = await compile('void f( {')
    expect(cubin).toBeUndefined()
    expect(log).toMatch(/k\.cu\(1\): error/)
  })
})
