import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CompileError } from '@deepgemm/core'
import { assembleSource, type CompileRequest, configHeader, NvccCompiler } from '@deepgemm/jit'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { locateNvcc } from '../src/compile/locate-nvcc.js'
import { fakeNvcc } from './support/fake-nvcc.js'
import { temporaryFolder } from './support/folders.js'

const request: CompileRequest = {
  source: 'extern "C" __global__ void twice(float* x) { x[threadIdx.x] *= 2; }\n',
  target: 'sm_90a',
  flags: ['-O3'],
  entryName: 'twice',
}

afterEach(() => vi.unstubAllEnvs())

/** Makes temporary files of the test go into a folder of its own, which is returned. */
function ownTemporaryFolder(): string {
  const folder = temporaryFolder()
  vi.stubEnv('TMPDIR', folder)
  return folder
}

describe('nvcc', () => {
  it('is run without a shell in a private folder that is gone afterwards', async () => {
    const folder = temporaryFolder()
    const copy = `printf '%s\\n' "$@" > ${folder}/args; cp kernel.cu ${folder}/; pwd > ${folder}/pwd
      stat -c %a . > ${folder}/mode; printf '\\177ELF%068d' 0 > kernel.cubin; echo a note`
    const { cubin, log } = await new NvccCompiler(fakeNvcc(folder, copy)).compile(request)
    expect([cubin.length, log]).toEqual([72, 'a note\n'])
    const args = '-cubin -std=c++20 -arch=sm_90a -O3 -o kernel.cubin kernel.cu'
    expect(readFileSync(join(folder, 'args'), 'utf8').trim().split('\n')).toEqual(args.split(' '))
    expect(readFileSync(join(folder, 'kernel.cu'), 'utf8')).toBe(request.source)
    expect(readFileSync(join(folder, 'mode'), 'utf8')).toBe('700\n')
    expect(existsSync(readFileSync(join(folder, 'pwd'), 'utf8').trim())).toBe(false)
  })

  it('sees nothing of the environment that could change a kernel behind its key', async () => {
    const folder = temporaryFolder()
    const path = fakeNvcc(folder, `env > ${folder}/env; printf '\\177ELF%068d' 0 > kernel.cubin`)
    const env = { ...process.env, NVCC_APPEND_FLAGS: '-G', CPATH: '/evil', LD_PRELOAD: '' }
    await new NvccCompiler(path, { env }).compile(request)
    const names = readFileSync(join(folder, 'env'), 'utf8')
    expect(names).toMatch(/^PATH=/m)
    expect(names).not.toMatch(/NVCC_|CPATH|LD_PRELOAD|HOME=/)
  })

  it('that fails is quoted: its first errors, then the whole log as the cause', async () => {
    const noise = 'echo "ptxas info : note"; echo "x.cuh(4): error: identifier zz is undefined" >&2'
    const failure = new NvccCompiler(fakeNvcc(temporaryFolder(), `${noise}; exit 2`)).compile(
      request,
    )
    await expect(failure).rejects.toThrow(CompileError)
    await expect(failure).rejects.toThrow(
      /nvcc could not compile kernel twice for sm_90a: given \nx.cuh\(4\): error: identifier zz/,
    )
    await expect(failure).rejects.toMatchObject({
      code: 'ERR_COMPILE',
      cause: { message: expect.stringContaining('ptxas info') },
    })
  })

  it('that prints without end is cut', async () => {
    const endless = 'yes "x.cu(1): error: again" | head -c 4000000; exit 1'
    const failure = new NvccCompiler(fakeNvcc(temporaryFolder(), endless)).compile(request)
    const error = await failure.then(String, (reason: CompileError) => reason)
    expect(error).toBeInstanceOf(CompileError)
    const { message, cause } = error as CompileError & { cause: Error }
    expect(message.length).toBeLessThan(2000)
    expect(cause.message.length).toBeLessThan(2 ** 20 + 100)
    expect(cause.message).toMatch(/output cut$/)
  })

  it('that hangs is killed with all it started', async () => {
    const folder = temporaryFolder()
    const hang = `(sleep 2; touch ${folder}/survived) & sleep 60`
    const compiler = new NvccCompiler(fakeNvcc(folder, hang), { timeoutMs: 200 })
    await expect(compiler.compile(request)).rejects.toThrow(/took too long.*more than 200 ms/)
    await sleep(2200)
    expect(existsSync(join(folder, 'survived'))).toBe(false)
  })

  it.each([
    ['nothing', 'true', /not a cubin for twice: given 0 bytes/],
    ['an empty file', ': > kernel.cubin', /not a cubin for twice: given 0 bytes/],
    ['text', 'printf "%0100d" 0 > kernel.cubin', /begin with 30303030/],
  ])('that writes %s is not believed', async (_, compile, message) => {
    const compiler = new NvccCompiler(fakeNvcc(temporaryFolder(), compile))
    const folder = ownTemporaryFolder()
    await expect(compiler.compile(request)).rejects.toThrow(message)
    expect(readdirSync(folder)).toEqual([])
  })

  it('gives its version as its identity', async () => {
    const compiler = new NvccCompiler(fakeNvcc(temporaryFolder()))
    expect(await compiler.identity()).toEqual({ name: 'nvcc', version: '13.0.88' })
  })

  it.each([
    ['is too old', 'echo "release 12.2, V12.2.140"', /too old: given V12.2.140; allowed 12.3/],
    ['says nothing', 'true', /did not say its version/],
    ['fails', 'exit 1', /did not say its version/],
  ])('that %s is refused', async (_, version, message) => {
    const path = fakeNvcc(temporaryFolder(), 'true', version)
    await expect(new NvccCompiler(path).identity()).rejects.toThrow(message)
  })

  it('that is not there, or not absolute, is an error that says what to set', async () => {
    const missing = new NvccCompiler(join(temporaryFolder(), 'nvcc'))
    await expect(missing.compile(request)).rejects.toThrow(/could not be started.*DEEPGEMM_NVCC/)
    expect(() => new NvccCompiler('nvcc')).toThrow(/not absolute: given "nvcc"/)
    expect(() => new NvccCompiler('/x', { timeout: 3 } as object)).toThrow(
      /unknown option: given timeout/,
    )
  })

  it('without room for its temporary files is an error that names TMPDIR', async () => {
    const compiler = new NvccCompiler(fakeNvcc(temporaryFolder()))
    vi.stubEnv('TMPDIR', '/nonexistent')
    await expect(compiler.compile(request)).rejects.toThrow(/given \/nonexistent .*ENOENT.*TMPDIR/)
  })

  it.each<[string, Partial<CompileRequest>, RegExp]>([
    ['a target that is none', { target: 'sm_90a; rm -rf' }, /unknown target/],
    ['a flag with a path', { flags: ['-I/usr/include'] }, /flag that is not allowed/],
    ['a flag with a second argument', { flags: ['-o /tmp/x'] }, /flag that is not allowed/],
    ['a flag that is an argument', { flags: ['x.cu'] }, /flag that is not allowed/],
    ['too many flags', { flags: Array.from({ length: 65 }, () => '-O3') }, /too many/],
    ['a source without measure', { source: ' '.repeat(2 ** 24 + 1) }, /too long a source/],
  ])('is not started for %s', async (_, part, message) => {
    const compiler = new NvccCompiler('/nonexistent/nvcc')
    await expect(compiler.compile({ ...request, ...part })).rejects.toThrow(message)
  })
})

const real = (await locateNvcc(process.env)).path

describe.runIf(real !== undefined)('the nvcc of this machine', () => {
  const compiler = new NvccCompiler(real ?? '/none')

  it('compiles an assembled kernel with its config to the same bytes every time', async () => {
    const files = new Map([
      ['entry.cu', '#include "config.cuh"\n#include "twice.cuh"\n'],
      ['twice.cuh', 'extern "C" __global__ void twice(float* x) { x[0] *= deepgemm::C::FACTOR; }'],
      ['config.cuh', configHeader('C', { FACTOR: 2, wide: 2 ** 40, half: 0.5, on: true })],
    ])
    const assembled = { ...request, source: assembleSource(files, 'entry.cu') }
    const [one, two] = [await compiler.compile(assembled), await compiler.compile(assembled)]
    expect(one.cubin.length).toBeGreaterThan(1000)
    expect(Buffer.from(one.cubin).equals(two.cubin)).toBe(true)
    expect(Buffer.from(one.cubin).includes('twice')).toBe(true)
  })

  it('points at the line of the file that was included', async () => {
    const files = new Map([
      ['entry.cu', '#include "a/bad.cuh"\n'],
      ['a/bad.cuh', '\n\n__device__ int f() { return missing; }\n'],
    ])
    const folder = ownTemporaryFolder()
    const source = assembleSource(files, 'entry.cu')
    await expect(compiler.compile({ ...request, source })).rejects.toThrow(
      /a\/bad.cuh\(3\): error: identifier "missing" is undefined/,
    )
    expect(readdirSync(folder)).toEqual([])
  })
})
