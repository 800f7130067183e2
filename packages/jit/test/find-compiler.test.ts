import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CompileError } from '@deepgemm/core'
import { findCompiler, type NvrtcBinding, NvrtcCompiler } from '@deepgemm/jit'
import { describe, expect, it } from 'vitest'
import { locateNvcc } from '../src/compile/locate-nvcc.js'
import { fakeNvcc } from './support/fake-nvcc.js'
import { temporaryFolder } from './support/folders.js'

const elf = Uint8Array.from({ length: 64 }, (_, index) => [0x7f, 0x45, 0x4c, 0x46][index] ?? 0)

function binding(part: Partial<NvrtcBinding> = {}): NvrtcBinding {
  return { version: [12, 8], compile: async () => ({ cubin: elf, log: '' }), ...part }
}

/** The environment with PATH reduced to places without nvcc. */
const bare = { PATH: '/usr/sbin' }

/** NVRTC named where there is none, also on machines that have it. */
const noNvrtc = { DEEPGEMM_NVRTC_LIBRARY: '/nowhere/libnvrtc.so' }

describe('finding a compiler', () => {
  it('takes NVRTC first', async () => {
    const env = { DEEPGEMM_NVCC: fakeNvcc(temporaryFolder()) }
    const compiler = await findCompiler({ env, nvrtc: async () => binding() })
    expect(await compiler.identity()).toEqual({ name: 'nvrtc', version: '12.8' })
  })

  it('takes nvcc when NVRTC does not load or is too old', async () => {
    const env = { DEEPGEMM_NVCC: fakeNvcc(temporaryFolder()) }
    const broken = (): Promise<NvrtcBinding> => Promise.reject(new Error('libnvrtc.so: not found'))
    for (const nvrtc of [broken, async () => binding({ version: [12, 2] })]) {
      expect((await findCompiler({ env, nvrtc })).name).toBe('nvcc')
    }
  })

  it('takes only the one that DEEPGEMM_COMPILER names', async () => {
    const env = { DEEPGEMM_NVCC: fakeNvcc(temporaryFolder()), DEEPGEMM_COMPILER: 'nvcc' }
    expect((await findCompiler({ env, nvrtc: async () => binding() })).name).toBe('nvcc')
    const other = { ...noNvrtc, ...env, DEEPGEMM_COMPILER: 'nvrtc' }
    await expect(findCompiler({ env: other })).rejects.toThrow(/NVRTC: libnvrtc could not be/)
    const wrong = { ...env, DEEPGEMM_COMPILER: 'gcc' }
    await expect(findCompiler({ env: wrong })).rejects.toThrow(/given "gcc"; allowed nvrtc or nvcc/)
  })

  it('without any lists each place it looked at and what to do', async () => {
    const home = temporaryFolder()
    const env = { DEEPGEMM_NVCC: join(home, 'nvcc') }
    const failure = findCompiler({ env, nvrtc: () => Promise.reject(new Error('no driver')) })
    await expect(failure).rejects.toThrow(CompileError)
    await expect(failure).rejects.toMatchObject({ code: 'ERR_NO_COMPILER' })
    await expect(failure).rejects.toThrow(/NVRTC: no driver\n {2}DEEPGEMM_NVCC=.*: no nvcc there/)
    await expect(failure).rejects.toThrow(/import a bundle/)
  })

  it('does not take an nvcc that cannot say its version', async () => {
    const env = { ...noNvrtc, DEEPGEMM_NVCC: fakeNvcc(temporaryFolder(), 'true', 'exit 1') }
    await expect(findCompiler({ env })).rejects.toThrow(/did not say its version/)
  })

  it('refuses an option it does not know', async () => {
    await expect(findCompiler({ nvcc: '/x' } as object)).rejects.toThrow(
      /unknown option: given nvcc/,
    )
  })
})

describe('NVRTC of the runtime', () => {
  it('is looked for where DEEPGEMM_NVRTC_LIBRARY says, and the finding is told', async () => {
    const env = { ...bare, ...noNvrtc, DEEPGEMM_COMPILER: 'nvrtc' }
    const failure = findCompiler({ env })
    await expect(failure).rejects.toMatchObject({ code: 'ERR_NO_COMPILER' })
    await expect(failure).rejects.toThrow(/tried \/nowhere\/libnvrtc.so \(.*No such file/)
  })

  it('compiles where the machine has it', async ({ skip }) => {
    const compiler = await findCompiler({
      env: { ...process.env, DEEPGEMM_COMPILER: 'nvrtc' },
    }).catch((error: Error) => skip(`no NVRTC here: ${error.message}`))
    const source = 'extern "C" __global__ void k(float* x) { x[threadIdx.x] *= 2.f; }'
    const request = { source, target: 'sm_90a', flags: ['--use_fast_math'], entryName: 'k' }
    const { cubin, log } = await compiler.compile(request)
    expect(log).toBe('')
    expect(Buffer.from(cubin).includes('k')).toBe(true)
    const broken = compiler.compile({ ...request, source: 'void f( {' })
    await expect(broken).rejects.toThrow(/NVRTC could not compile kernel k for sm_90a/)
  })
})

describe('locating nvcc', () => {
  it('prefers DEEPGEMM_NVCC, then CUDA_HOME, then PATH', async () => {
    const [one, two, three] = [temporaryFolder(), temporaryFolder(), temporaryFolder()].map(
      (folder) => ({ folder, nvcc: fakeNvcc(folder) }),
    )
    const path = { PATH: `/usr/sbin:${three?.folder}/bin` }
    const home = { ...path, CUDA_HOME: two?.folder }
    const env = { ...home, DEEPGEMM_NVCC: one?.nvcc }
    expect((await locateNvcc(env)).path).toBe(one?.nvcc)
    expect((await locateNvcc(home)).path).toBe(two?.nvcc)
    expect((await locateNvcc(path)).path).toBe(three?.nvcc)
  })

  it('does not fall back from an explicit choice that does not work', async () => {
    const env = { ...process.env, DEEPGEMM_NVCC: '/nonexistent/nvcc' }
    const { path, lookedAt } = await locateNvcc(env)
    expect(path).toBeUndefined()
    expect(lookedAt).toEqual([
      { place: 'DEEPGEMM_NVCC=/nonexistent/nvcc', finding: 'no nvcc there' },
    ])
  })

  it('never follows a relative path', async () => {
    const { lookedAt } = await locateNvcc({ PATH: '.:bin', CUDA_HOME: 'cuda' })
    const findings = Object.fromEntries(lookedAt.map(({ place, finding }) => [place, finding]))
    for (const place of ['PATH: .', 'PATH: bin', 'CUDA_HOME=cuda']) {
      expect(findings[place]).toMatch(/not an absolute path/)
    }
  })

  it('passes over what cannot be run', async () => {
    const folder = temporaryFolder()
    mkdirSync(join(folder, 'a', 'nvcc'), { recursive: true })
    mkdirSync(join(folder, 'b'))
    writeFileSync(join(folder, 'b', 'nvcc'), '')
    chmodSync(join(folder, 'b', 'nvcc'), 0o644)
    const { lookedAt } = await locateNvcc({ PATH: `${folder}/a:${folder}/b` })
    expect(lookedAt[2]?.finding).toBe('not a file')
    expect(lookedAt[3]?.finding).toMatch(/EACCES/)
  })

  it('ends at the toolkit of the system', async () => {
    const { path, lookedAt } = await locateNvcc(bare)
    expect(lookedAt.at(-1)?.place).toBe('/usr/local/cuda/bin')
    expect([undefined, '/usr/local/cuda/bin/nvcc']).toContain(path)
  })
})

describe('NVRTC', () => {
  const request = { source: '//', target: 'sm_90a', flags: ['--use_fast_math'], entryName: 'k' }

  it('gets the source and the flags, and gives the cubin', async () => {
    const seen: unknown[] = []
    const compile: NvrtcBinding['compile'] = async (...args) => {
      seen.push(args)
      return { cubin: elf, log: 'note' }
    }
    const result = await new NvrtcCompiler(binding({ compile })).compile(request)
    expect(result).toEqual({ cubin: elf, log: 'note' })
    const options = ['--std=c++20', '--gpu-architecture=sm_90a', '--use_fast_math']
    expect(seen).toEqual([['//', 'kernel.cu', options]])
  })

  it('that fails is quoted', async () => {
    const compile = async (): Promise<{ cubin: undefined; log: string }> => ({
      cubin: undefined,
      log: 'kernel.cu(1): error: no',
    })
    const compiler = new NvrtcCompiler(binding({ compile }))
    await expect(compiler.compile(request)).rejects.toThrow(
      /NVRTC could not.*\nkernel.cu\(1\): error/,
    )
  })
})
