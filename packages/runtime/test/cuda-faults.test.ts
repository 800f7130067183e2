import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { DeepGemmError } from '@deepgemm/core'
import {
  ArgumentList,
  type CudaBuffer,
  CudaDevice,
  CudaError,
  CudaMemoryError,
  openNvrtc,
} from '@deepgemm/runtime/cuda'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  bytesOn,
  cubin,
  type FakeCuda,
  installFakeCuda,
  STATUS,
  settledLeaks,
} from './support/fake-cuda.js'

/** Calls whose failure there is nobody to tell: they release, and do so in any case. */
const SILENT = [
  'cuDevicePrimaryCtxRelease_v2',
  'cuEventDestroy_v2',
  'cuGraphDestroy',
  'cuGraphExecDestroy',
  'cuMemFreeAsync',
  'cuMemFreeHost',
  'cuMemPoolDestroy',
  'cuModuleUnload',
  'cuStreamDestroy_v2',
  'nvrtcDestroyProgram',
]

/** Says a failure in words; called only after one, and it cannot fail itself. */
const WORDLESS = 'nvrtcGetErrorString'

/** What the addon looks up in the driver and in NVRTC, read from its sources. */
const ENTRY_POINTS = ['driver.h', 'nvrtc.cpp'].flatMap((file) => {
  const text = readFileSync(new URL(`../native/cuda/${file}`, import.meta.url), 'utf8')
  return [...text.matchAll(/(?:library,|find\(library_, \w+,)\s+"(\w+)"/g)].map(([, name]) => name)
})

const one = { grid: [1], block: [1] } as const

let fake: FakeCuda

beforeAll(async () => {
  fake = await installFakeCuda()
}, 300_000)

/** Uses every entry point; checks its results. */
async function useEverything(): Promise<void> {
  await using device = new CudaDevice()
  using module = device.loadModule(cubin)
  using source = device.tensor(Uint8Array.of(1, 2, 3, 4), { dtype: 'u8', shape: [4] })
  using target = bytesOn(device, 144)
  using other = device.createStream('other')
  const copy = module.kernel('copy')
  copy.attributes()
  using start = other.record({ timing: true })
  copy.launch(new ArgumentList().pointer(target).pointer(source).i64(4), one, other)
  using end = other.record({ timing: true })
  await end.elapsedSince(start)
  using mark = other.record()
  device.defaultStream.wait(mark)
  using matrix = device.zeros({ dtype: 'bf16', shape: [4, 64] })
  using out = bytesOn(device, 144)
  const args = new ArgumentList('struct')
    .tensorMap(matrix, {
      dtype: 'bf16',
      extents: [64, 4],
      rowBytes: 128,
      box: [64, 4],
      swizzle: 128,
    })
    .pointer(out)
  device.defaultStream.zero(matrix.slice(1, 0, 32))
  const store = module.kernel('store_struct')
  args.i32(1).f32(1)
  const prepared = store.prepare(args, one)
  using elsewhere = device.zeros({ dtype: 'bf16', shape: [4, 64] })
  prepared.rebind([elsewhere, out])
  prepared.run(device.defaultStream)
  using graph = device.capture((stream) => {
    store.launch(args, one, stream)
  })
  graph.launch()
  using pinned = device.pinned(4)
  pinned.copyFrom(target.storage as CudaBuffer)
  pinned.copyTo(source.storage as CudaBuffer)
  await device.synchronize()
  expect([...pinned.bytes()]).toEqual([1, 2, 3, 4])
  await target.storage.write(4, Uint8Array.of(5))
  expect([...(await target.toBytes()).subarray(0, 6)]).toEqual([1, 2, 3, 4, 5, 0])
  expect((await out.toBytes())[136]).toBe(1)
  device.memoryInfo()
  device.trim()
  await compile()
}

async function compile(): Promise<void> {
  const nvrtc = openNvrtc()
  const { cubin: image } = await nvrtc.compile('source', 'kernel.cu', ['-O3'])
  expect(image?.byteLength).toBeGreaterThan(64)
}

/** Every entry point that `useEverything` calls, and how often. */
async function profile(): Promise<[string, number][]> {
  fake.reset()
  await useEverything()
  await settledLeaks(fake)
  return Object.entries(fake.calls())
}

/** Fails the nth call, and checks what must hold then. */
async function checkFault(call: string, nth: number, status: number): Promise<void> {
  fake.reset()
  fake.fail(call, nth, status)
  const error = await useEverything().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (SILENT.includes(call)) expect(error, `${call} #${nth}`).toBeUndefined()
  if (error !== undefined) {
    expect(error, `${call} #${nth}: ${inspect(error)}`).toBeInstanceOf(DeepGemmError)
    expect((error as Error).message).toContain(call)
  }
  expect(await settledLeaks(fake), `${call} #${nth}`).toEqual({})
}

describe('an entry point of the driver that fails', () => {
  it('is each that the addon looks up', async () => {
    const called = new Set((await profile()).map(([name]) => name))
    fake.fail('cuDeviceGetCount', 1, STATUS.unknown)
    expect(() => new CudaDevice()).toThrow('CUDA_ERROR_UNKNOWN')
    for (const name of Object.keys(fake.calls())) called.add(name)
    expect(ENTRY_POINTS.length).toBeGreaterThanOrEqual(60)
    expect([...called, WORDLESS].sort()).toEqual([...ENTRY_POINTS].sort())
  })

  it.each([
    ['cuGetErrorName', /given CUDA error 999 from cuMemAllocFromPoolAsync/],
    ['cuGetErrorString', /given CUDA_ERROR_UNKNOWN from cuMemAllocFromPoolAsync/],
  ])('%s leaves an error that tells what is known', async (call, words) => {
    fake.reset()
    await using device = new CudaDevice()
    bytesOn(device, 4).dispose()
    fake.fail('cuMemAllocFromPoolAsync', 1, STATUS.unknown)
    fake.fail(call, 1, STATUS.unknown)
    expect(() => bytesOn(device, 4)).toThrow(words)
  })

  it('the first time is named, leaks nothing, and a new device works', async () => {
    for (const [call] of await profile()) {
      await checkFault(call, 1, STATUS.unknown)
      fake.reset()
      await useEverything()
    }
    expect(await settledLeaks(fake)).toEqual({})
  })

  it('the second time is named and leaks nothing', async () => {
    for (const [call, count] of await profile()) {
      if (count >= 2) await checkFault(call, 2, STATUS.unknown)
    }
  })

  it('at a random call of each is named and leaks nothing', async () => {
    for (const [call, count] of await profile()) {
      const nth = fc.sample(fc.integer({ min: 1, max: count }), 1)[0] as number
      await checkFault(call, nth, STATUS.unknown)
    }
  })

  it('at any time, for any reason, is named and leaks nothing', async () => {
    const calls = await profile()
    await fc.assert(
      fc.asyncProperty(
        fc
          .constantFrom(...calls)
          .chain(([call, count]) =>
            fc.tuple(
              fc.constant(call),
              fc.integer({ min: 1, max: count }),
              fc.constantFrom(STATUS.outOfMemory, STATUS.unknown, STATUS.illegalAddress),
            ),
          ),
        ([call, nth, status]) => checkFault(call, nth, status),
      ),
      { numRuns: 150 },
    )
  }, 120_000)
})

describe('a device after a failure that it survives', () => {
  it('goes on', async () => {
    await using device = new CudaDevice()
    fake.fail('cuMemAllocFromPoolAsync', 1, STATUS.outOfMemory)
    expect(() => bytesOn(device, 4)).toThrow(CudaMemoryError)
    fake.fail('cuEventCreate', 1, STATUS.unknown)
    expect(() => bytesOn(device, 4)).toThrow(CudaError)
    fake.fail('cuMemcpyDtoHAsync_v2', 1, STATUS.unknown)
    using tensor = bytesOn(device, 2, 'activations')
    await expect(tensor.toBytes()).rejects.toThrow(
      /activations could not be read: given CUDA_ERROR_UNKNOWN from cuMemcpyDtoHAsync_v2/,
    )
    expect(await tensor.toBytes()).toEqual(Uint8Array.of(0, 0))
    expect(device.lost).toBeUndefined()
  })
})

describe('a slow driver', () => {
  it('changes no result', async () => {
    fake.reset()
    fake.slow(1, 2)
    await useEverything()
    expect(await settledLeaks(fake)).toEqual({})
  })
})
