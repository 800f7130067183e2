import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type FakeCuda,
  fakeLibrary,
  installFakeCuda,
  STATUS,
} from '../../../packages/runtime/test/support/fake-cuda.js'
import type { Finding } from '../src/doctor/finding.js'
import { visibleDevice } from '../src/doctor/self-test-gpu.js'
import { buildCli, deepgemm, type ScratchFolder, scratchFolder } from './helpers.js'

let fake: FakeCuda
let folder: ScratchFolder

beforeAll(async () => {
  fake = await installFakeCuda()
}, 300_000)

beforeEach(() => {
  folder = scratchFolder()
  vi.stubEnv('DEEPGEMM_CACHE_DIR', folder.in('kernels'))
  vi.stubEnv('DEEPGEMM_CUDA_LIBRARY', '')
  vi.stubEnv('DEEPGEMM_NVRTC_LIBRARY', '/nowhere/libnvrtc.so')
  vi.stubEnv('DEEPGEMM_NVCC', '/nowhere/nvcc')
})

afterEach(() => {
  fake.reset()
  folder[Symbol.dispose]()
})

type Report = { code: number; healthy: boolean; findings: readonly Finding[] }

async function doctor(): Promise<Report> {
  const { code, stdout } = await deepgemm(['doctor', '--json'])
  return { code, ...JSON.parse(stdout) }
}

const named = ({ findings }: Report, name: string): Finding | undefined =>
  findings.find((finding) => finding.name === name)

describe('deepgemm doctor', () => {
  it('is content with a machine without GPU and compiler, and says what is there', async () => {
    const { code, stdout } = await deepgemm(['doctor'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/ok {7}Node\.js: \d+\.\d+/)
    expect(stdout).toMatch(/ok {7}Native addon: \/.*deepgemm_runtime\.node/)
    expect(stdout).toMatch(/ok {7}CPU: .*instruction sets baseline.* threads is used/)
    expect(stdout).toMatch(/note {5}NVRTC: .*\/nowhere\/libnvrtc\.so/)
    expect(stdout).toMatch(/note {5}nvcc: looked at DEEPGEMM_NVCC=\/nowhere\/nvcc/)
    expect(stdout).toMatch(/note {5}Compiler in use: none/)
    expect(stdout).toMatch(/ok {7}Kernel cache: .*kernels: 0 kernels, 0 B of at most .* free on/)
    expect(stdout).toMatch(/ok {7}Self-test cpu: .* products, \d+ elements correct against float64/)
    expect(stdout).toMatch(/All is well\n$/)
  })

  it('gives every problem a remedy', async () => {
    vi.stubEnv('DEEPGEMM_CUDA_LIBRARY', '/nowhere/libcuda.so')
    vi.stubEnv('DEEPGEMM_CACHE_DIR', '/proc')
    const report = await doctor()
    const problems = report.findings.filter(({ state }) => state === 'problem')
    expect(problems.map(({ name }) => name)).toEqual(['GPU 0', 'Kernel cache'])
    for (const { remedy } of problems) expect(remedy).toMatch(/^[A-Z].*\.$/)
    expect([report.code, report.healthy]).toEqual([1, false])
  })

  it('tests a GPU and says so when its products are wrong', async () => {
    vi.stubEnv('DEEPGEMM_CUDA_LIBRARY', fakeLibrary)
    vi.stubEnv('DEEPGEMM_NVRTC_LIBRARY', fakeLibrary)
    const report = await doctor()
    expect(named(report, 'CUDA driver')?.detail).toMatch(/^CUDA \d+\.\d, \/.*fake_cuda\.node$/)
    expect(named(report, 'GPU 0')).toMatchObject({
      state: 'ok',
      detail: expect.stringMatching(/compute capability 9\.0, 132 multiprocessors, .* of memory/),
    })
    expect(named(report, 'Compiler in use')?.detail).toMatch(/^nvrtc/)
    // The fake driver's launches do nothing: what stands in the output is no product.
    expect(named(report, 'Self-test cuda')).toMatchObject({
      state: 'problem',
      detail: expect.stringMatching(/WRONG for 96 x 200 x 496/),
    })
    expect(report.code).toBe(1)
  })

  it('tests every GPU, each of the others in a process that sees it alone', async () => {
    buildCli()
    vi.stubEnv('DEEPGEMM_CUDA_LIBRARY', fakeLibrary)
    vi.stubEnv('DEEPGEMM_NVRTC_LIBRARY', fakeLibrary)
    fake.configure({ devices: 3 })
    const report = await doctor()
    for (const name of ['Self-test cuda', 'Self-test cuda, GPU 1', 'Self-test cuda, GPU 2']) {
      const detail = expect.stringMatching(/WRONG for 96 x 200 x 496/)
      expect(named(report, name)).toMatchObject({ state: 'problem', detail })
    }
    expect(visibleDevice({}, 2)).toBe('2')
    expect(visibleDevice({ CUDA_VISIBLE_DEVICES: 'GPU-a, GPU-b' }, 1)).toBe('GPU-b')
  }, 120_000)

  it('takes a GPU that is no Hopper, and a driver that is too old, for what they are', async () => {
    vi.stubEnv('DEEPGEMM_CUDA_LIBRARY', fakeLibrary)
    fake.configure({ major: 8, minor: 6 })
    expect(named(await doctor(), 'GPU 0')).toMatchObject({
      state: 'note',
      detail: expect.stringContaining('compute capability 8.6'),
      remedy: expect.stringContaining('use the CPU device'),
    })
    fake.reset()
    fake.configure({ version: 12_000 })
    const old = await doctor()
    expect(named(old, 'GPU 0')).toMatchObject({
      state: 'problem',
      remedy: 'Update the NVIDIA driver to 545 or newer.',
    })
    expect(old.code).toBe(1)
  })

  it('misses a compiler where a GPU wants one', async () => {
    vi.stubEnv('DEEPGEMM_CUDA_LIBRARY', fakeLibrary)
    const report = await doctor()
    expect(named(report, 'Compiler in use')).toMatchObject({
      state: 'problem',
      remedy: expect.stringMatching(/DEEPGEMM_NVCC|import a bundle/),
    })
    expect(named(report, 'Self-test cuda')?.state).toBe('problem')
  })

  it('survives a driver that gives no answer', async () => {
    vi.stubEnv('DEEPGEMM_CUDA_LIBRARY', fakeLibrary)
    fake.fail('cuInit', 1, STATUS.unknown)
    expect(named(await doctor(), 'GPU 0')).toMatchObject({
      state: 'problem',
      remedy: 'Check the driver with nvidia-smi.',
    })
  })

  it('refuses a cache that others may write to, and tells of damaged kernels', async () => {
    mkdirSync(folder.in('kernels'))
    chmodSync(folder.in('kernels'), 0o777)
    expect(named(await doctor(), 'Kernel cache')?.detail).toMatch(/lets other users write to it/)
    chmodSync(folder.in('kernels'), 0o700)
    mkdirSync(join(folder.in('kernels'), 'v1'), { recursive: true })
    writeFileSync(join(folder.in('kernels'), 'v1', `${'a'.repeat(64)}.json`), '{}')
    expect(named(await doctor(), 'Kernel cache')).toMatchObject({
      state: 'note',
      detail: expect.stringMatching(/1 unusable: /),
      remedy: expect.stringContaining('cache verify --remove'),
    })
  })

  it('names variables that are set and those that nothing reads', async () => {
    vi.stubEnv('DEEPGEMM_THREADS', '1')
    vi.stubEnv('DEEPGEMM_TREADS', '1')
    const details = (await doctor()).findings.filter(({ name }) => name === 'Environment')
    expect(details[0]?.detail).toContain('DEEPGEMM_THREADS=1')
    expect(details[1]?.detail).toBe('nothing reads DEEPGEMM_TREADS')
  })
})
