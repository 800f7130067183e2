import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CompileError } from '@deepgemm/core'
import { type Compiler, findCompiler, Jit, type KernelRequest } from '@deepgemm/jit'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { temporaryFolder } from './support/folders.js'
import { observedCache } from './support/kernels.js'

afterEach(() => vi.unstubAllEnvs())

function requestOf(number: number): KernelRequest {
  return {
    source: `// ${number}\n`,
    entryName: 'gemm',
    config: { blockM: 64, number },
    target: 'sm_90a',
  }
}

/** A compiler that takes a moment and knows how many of its compiles ran at once. */
class SlowCompiler implements Compiler {
  readonly name = 'slow'
  readonly baseFlags = ['-base']
  running = 0
  most = 0
  compiles = 0

  async identity(): Promise<{ name: string; version: string }> {
    return { name: 'slow', version: '1' }
  }

  async compile({ source }: { source: string }): Promise<{ cubin: Uint8Array; log: string }> {
    this.compiles += 1
    this.running += 1
    this.most = Math.max(this.most, this.running)
    await sleep(20)
    this.running -= 1
    if (source.includes('bad')) throw new CompileError('slow could not compile kernel gemm')
    return { cubin: Buffer.from(source), log: '' }
  }
}

/** A compiler whose every kernel is the one with that name in a fixture. */
class FixedCompiler extends SlowCompiler {
  override async compile(): Promise<{ cubin: Uint8Array; log: string }> {
    return { cubin: readFileSync(new URL('fixtures/local-memory.cubin', import.meta.url)), log: '' }
  }
}

describe('a kernel that spills', () => {
  it('is given with a warning that says where to look, when it is compiled', async () => {
    const said: string[] = []
    vi.spyOn(process, 'emitWarning').mockImplementation((text) => void said.push(String(text)))
    const { cache } = await observedCache(join(temporaryFolder(), 'cache'))
    const jit = await Jit.open({ cache, compiler: new FixedCompiler() })
    for (const entryName of ['plain', 'spilling', 'spilling']) {
      await jit.getKernel({ ...requestOf(1), entryName })
    }
    vi.restoreAllMocks()
    expect(said).toEqual([
      'Kernel spilling (blockM=64 number=1) is right, but slower than it should be: slow 1 put 184 ' +
        'bytes per thread into local memory. Another version of the compiler may not, or the other ' +
        'one (DEEPGEMM_COMPILER).',
    ])
  })
})

describe('getting kernels', () => {
  const requests = Array.from({ length: 12 }, (_, index) => requestOf(index))

  it('compiles many in parallel, never more at once than allowed, and tells its progress', async () => {
    const { cache } = await observedCache(join(temporaryFolder(), 'cache'))
    const compiler = new SlowCompiler()
    const jit = await Jit.open({ cache, compiler, concurrency: 3 })
    const progress: string[] = []
    const kernels = await jit.getKernels(requests, {
      onProgress: ({ done, total, kernel }) => progress.push(`${done}/${total} ${kernel.origin}`),
    })
    expect(kernels.map(({ cubin }) => Buffer.from(cubin).toString())).toEqual(
      requests.map(({ source }) => source),
    )
    expect(compiler.most).toBe(3)
    expect(progress).toEqual(requests.map((_, index) => `${index + 1}/12 compiled`))
    const again = await jit.getKernels(requests)
    expect(again.every(({ origin }) => origin === 'cache')).toBe(true)
    expect(compiler.compiles).toBe(12)
  })

  it('says what each kernel is', async () => {
    const { cache } = await observedCache(join(temporaryFolder(), 'cache'))
    const jit = await Jit.open({ cache, compiler: new SlowCompiler() })
    const kernel = await jit.getKernel(requestOf(7))
    const { entryName, config, target } = requestOf(7)
    const compiler = { name: 'slow', version: '1' }
    expect(kernel).toMatchObject({ entryName, config, target, compiler, origin: 'compiled' })
    expect((await cache.list())[0]?.manifest?.flags).toEqual(['-base'])
  })

  it('finishes the others when one fails, then names the config of the one that failed', async () => {
    const { cache } = await observedCache(join(temporaryFolder(), 'cache'))
    const jit = await Jit.open({ cache, compiler: new SlowCompiler(), concurrency: 2 })
    const bad = { ...requestOf(99), source: '// bad' }
    const failure = jit.getKernels([bad, ...requests])
    await expect(failure).rejects.toThrow(CompileError)
    await expect(failure).rejects.toThrow(/config blockM=64 number=99 .*slow could not compile/)
    expect(await cache.list()).toHaveLength(12)
  })

  it('works without a cache', async () => {
    const { cache } = await observedCache(false)
    const compiler = new SlowCompiler()
    const jit = await Jit.open({ cache, compiler, concurrency: 1 })
    await Promise.all([jit.getKernel(requestOf(1)), jit.getKernel(requestOf(2))])
    expect([compiler.compiles, compiler.most]).toEqual([2, 1])
  })

  it('refuses what no kernel can be made of', async () => {
    const { cache } = await observedCache(false)
    const jit = await Jit.open({ cache, compiler: new SlowCompiler() })
    const request = { ...requestOf(1), config: { 'no name': 1 } }
    await expect(jit.getKernel(request)).rejects.toThrow(/not a C\+\+ identifier/)
    await expect(Jit.open({ concurrency: 0, cache })).rejects.toThrow(/concurrency/)
    await expect(Jit.open({ parallel: 2 } as object)).rejects.toThrow(
      /unknown option: given parallel/,
    )
  })
})

describe('a machine without a compiler', () => {
  it('loads the kernels of an imported bundle, whatever compiled them', async () => {
    const folder = temporaryFolder()
    const source = await observedCache(join(folder, 'source'))
    const builder = await Jit.open({ cache: source.cache, compiler: new SlowCompiler() })
    await builder.getKernels([requestOf(1), requestOf(2)])
    await source.cache.exportBundle(join(folder, 'bundle'))

    vi.stubEnv('DEEPGEMM_NVCC', '/nonexistent/nvcc')
    vi.stubEnv('DEEPGEMM_NVRTC_LIBRARY', '/nonexistent/libnvrtc.so')
    const target = await observedCache(join(folder, 'target'))
    const jit = await Jit.open({ cache: target.cache })
    await expect(jit.getKernel(requestOf(1))).rejects.toThrow(/no CUDA compiler/)
    await target.cache.importBundle(join(folder, 'bundle'))
    const kernel = await jit.getKernel(requestOf(1))
    expect(kernel).toMatchObject({ origin: 'cache', compiler: { name: 'slow' } })
    expect(Buffer.from(kernel.cubin).toString()).toBe(requestOf(1).source)
    await expect(jit.getKernel(requestOf(3))).rejects.toMatchObject({ code: 'ERR_NO_COMPILER' })
  })
})

const hasCompiler = await findCompiler().then(
  () => true,
  () => false,
)

describe.runIf(hasCompiler)('the compiler of this machine', () => {
  it('is found by itself and its kernels are cached', async () => {
    const { cache } = await observedCache(join(temporaryFolder(), 'cache'))
    const jit = await Jit.open({ cache })
    const request = {
      ...requestOf(1),
      source: 'extern "C" __global__ void gemm(float* x) { *x = 1; }\n',
    }
    const [first, second] = [await jit.getKernel(request), await jit.getKernel(request)]
    expect([first.origin, second.origin]).toEqual(['compiled', 'cache'])
    expect(second.cubin).toEqual(first.cubin)
  })
})
