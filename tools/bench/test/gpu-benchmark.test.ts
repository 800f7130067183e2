import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { locateNvcc, NvccCompiler } from '@deepgemm/jit'
import { type NvrtcLibrary, openNvrtc } from '@deepgemm/runtime/cuda'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  type FakeCuda,
  installFakeCuda,
  settledLeaks,
} from '../../../packages/runtime/test/support/fake-cuda.js'
import { benchSource } from '../src/gpu/kernels.js'
import { type MoeReport, rowsByKind } from '../src/gpu/moe/report.js'
import type { GpuReport } from '../src/gpu/report.js'
import { run } from '../src/run.js'

const folder = mkdtempSync(join(tmpdir(), 'deepgemm-gpu-bench-'))
/** A program that starts like Python and answers like the peers. */
const python = join(folder, 'python3')

let fake: FakeCuda
beforeAll(async () => {
  fake = await installFakeCuda()
  vi.stubEnv('DEEPGEMM_CACHE_DIR', join(folder, 'cache'))
  vi.stubEnv('DEEPGEMM_COMPILER', 'nvrtc')
  const peers = fileURLToPath(new URL('./support/fake-peers.mjs', import.meta.url))
  writeFileSync(python, `#!/bin/sh\nexec '${process.execPath}' '${peers}'\n`)
  chmodSync(python, 0o755)
}, 300_000)

afterAll(() => {
  fake.reset()
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

type Ran = { readonly code: number; readonly out: string; readonly err: string }

async function ran(args: readonly string[], target = 'gpu'): Promise<Ran> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const code = await run([target, ...args], {
    stdout,
    stderr,
    signal: new AbortController().signal,
  })
  return { code, out: String(stdout.read() ?? ''), err: String(stderr.read() ?? '') }
}

const SMALL = ['--only', '16,256,512', '--only', '64,256,512', '--rounds', '2', '--replays', '3']

// The fake driver runs no kernel: outputs and sums stay what they were, so every product is wrong.
describe('a GPU benchmark on the fake driver', () => {
  it('measures ours, the peers and the floor in turn, writes all of it, and sees what is wrong', async () => {
    const path = join(folder, 'gpu.json')
    const args = [...SMALL, '--quick', '--python', python, '--commit', 'abc', '--out', path]
    const { code, out, err } = await ran(args)
    expect({ code, err }).toMatchObject({
      code: 1,
      err: expect.stringMatching(
        /Products are wrong: given dense 16x256x512, error null; dense 64x256x512/,
      ),
    })
    const { meta, rows, jit, host } = JSON.parse(readFileSync(path, 'utf8')) as GpuReport
    expect(meta).toMatchObject({
      commit: 'abc',
      copy_bandwidth_gbs: 3000,
      peers: { deepgemm: '9.9' },
    })
    expect(meta.missing).toEqual(['cublaslt: ImportError: no such module'])
    expect(rows).toMatchObject([
      { problem: 'dense', m: 16, n: 256, k: 512, deepgemm_us: 21, cublaslt_block_us: null },
      { problem: 'dense', m: 64, n: 256, k: 512, deepgemm_us: 21, max_error: null },
    ])
    for (const row of rows) {
      expect(row.config).toMatch(/\d+x\d+\/s\d/)
      expect(row.ours_us).toBeGreaterThanOrEqual(0)
      expect(row.weight_read_floor_us).toBeGreaterThanOrEqual(0)
    }
    expect(jit.compiler).toBe('nvrtc 12.8')
    expect(jit.cached_load_ms).toBeGreaterThan(0)
    expect(host.run_us).toBeGreaterThan(0)
    expect(out).toContain('geometric means')
    expect(await settledLeaks(fake)).toEqual({})
  }, 120_000)

  it('adds gradients to f32, without peers', async () => {
    const path = join(folder, 'gradient.json')
    const args = ['--only', 'wgrad:256,64,128', '--quick', '--peers', 'none', '--out', path]
    const { code, err } = await ran(args)
    expect({ code, err }).toMatchObject({ code: 1, err: expect.stringContaining(path) })
    const { meta, rows } = JSON.parse(readFileSync(path, 'utf8')) as GpuReport
    expect(meta).toMatchObject({ peers: {}, missing: [], copy_bandwidth_gbs: null })
    expect(rows).toMatchObject([
      { problem: 'wgrad', weight_read_floor_us: null, deepgemm_us: null },
    ])
    expect(rows[0]?.config).toContain('f32+=')
  }, 120_000)

  it('measures grouped products of every layout, and a layer', async () => {
    fake.configure({ memoryBytes: 4e8 })
    const path = join(folder, 'moe.json')
    const only = ['contiguous', 'packed', 'masked'].flatMap((name) => [
      '--only',
      `${name}:4,20,64,128`,
    ])
    const args = [
      ...only,
      '--only',
      'k-grouped:4,64,64,128',
      '--only',
      'layer:8,2,256,128',
      '--quick',
      '--python',
      python,
    ]
    const { code, out, err } = await ran([...args, '--out', path], 'gpu-moe')
    expect({ code, err }).toMatchObject({
      code: 1,
      err: expect.stringMatching(/Products are wrong: given contiguous 4x20x64x128, error null/),
    })
    const { meta, rows } = JSON.parse(readFileSync(path, 'utf8')) as MoeReport
    expect(meta).toMatchObject({ peers: { deepgemm: '9.9' }, rounds: 1, replays: 3 })
    const { products, layers } = rowsByKind(rows)
    const layouts = ['contiguous', 'packed', 'masked', 'k-grouped']
    expect(products.map(({ problem }) => problem)).toEqual(layouts)
    for (const row of products) {
      expect(row).toMatchObject({ groups: 4, deepgemm_us: 21, max_error: null })
      expect(row.config).toMatch(/\d+x\d+\/s\d/)
    }
    const layer = { problem: 'layer', groups: 8, expected_m: 2, n: 256, k: 128, touched: 8 }
    expect(layers).toMatchObject([{ ...layer, torch_us: 21, triton_us: null }])
    expect(meta.missing).toContain('triton_layer, layer 8x2x256x128: no Triton')
    expect(out).toContain('layout')
    expect(await settledLeaks(fake)).toEqual({})
  }, 120_000)

  it('says what is missing where there is no Python', async () => {
    const path = process.env['PATH']
    vi.stubEnv('PATH', join(folder, 'empty'))
    const { code, err } = await ran(SMALL)
    vi.stubEnv('PATH', path)
    expect(code).toBe(1)
    expect(err).toMatch(/The peers need Python.*--peers none/)
  })
})

const nvcc = (await locateNvcc(process.env)).path
/** The machine's own NVRTC, opened before the fake one takes its place. */
const nvrtc = ((): NvrtcLibrary | undefined => {
  try {
    return openNvrtc()
  } catch {
    return undefined
  }
})()

describe('the kernels of the GPU benchmark', () => {
  it.skipIf(nvcc === undefined)(
    'compile with nvcc for Hopper',
    async () => {
      const compiler = new NvccCompiler(nvcc as string, { env: process.env })
      const request = {
        source: benchSource(),
        entryName: 'bench_check',
        target: 'sm_90a',
        flags: [],
      }
      expect((await compiler.compile(request)).cubin.length).toBeGreaterThan(1000)
    },
    120_000,
  )

  it.skipIf(nvrtc === undefined)('compile with NVRTC, which has no headers', async () => {
    const options = ['--std=c++20', '--gpu-architecture=sm_90a']
    const { cubin, log } = await (nvrtc as NvrtcLibrary).compile(benchSource(), 'k.cu', options)
    expect(log).toBe('')
    expect(cubin).toBeDefined()
  })
})
