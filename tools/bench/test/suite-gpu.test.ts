import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  openBench,
  PEER_NAMES,
  type ProblemSet,
  runSuite,
  type SuiteResult,
  wrongProducts,
} from '@deepgemm/bench'
import { Device } from 'deepgemm'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  type FakeCuda,
  installFakeCuda,
  settledLeaks,
} from '../../../packages/runtime/test/support/fake-cuda.js'

const folder = mkdtempSync(join(tmpdir(), 'deepgemm-suite-gpu-'))
/** A program that starts like Python and answers like the peers. */
const python = join(folder, 'python3')
const shape = { layer: 'one', n: 256, k: 512 } as const
const set: ProblemSet = {
  name: 'small',
  cases: [
    { ...shape, problem: 'dense', m: 16, groups: 1 },
    { ...shape, problem: 'dense', m: 2, groups: 1 },
    { ...shape, problem: 'contiguous', m: 20, groups: 3 },
  ],
}

let fake: FakeCuda
beforeAll(async () => {
  fake = await installFakeCuda()
  fake.configure({ memoryBytes: 4e9 })
  vi.stubEnv('DEEPGEMM_CACHE_DIR', join(folder, 'cache'))
  vi.stubEnv('DEEPGEMM_COMPILER', 'nvrtc')
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'xdg'))
  const peers = fileURLToPath(new URL('./support/fake-peers.mjs', import.meta.url))
  writeFileSync(python, `#!/bin/sh\nexec '${process.execPath}' '${peers}'\n`)
  chmodSync(python, 0o755)
}, 300_000)

afterAll(() => {
  fake.reset()
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

async function measured(peers: readonly string[], file?: string): Promise<SuiteResult> {
  const { signal } = new AbortController()
  const device = await Device.open({ kind: 'cuda' })
  const bench = await openBench({ device, set, rounds: 2, peers, python: file, signal })
  try {
    const watcher = { begin() {}, next() {}, done() {} }
    const run = { set, rounds: 2, command: 'test', fresh: true, signal, watcher }
    return await runSuite(bench, run)
  } finally {
    await bench.close()
  }
}

// The fake driver runs no kernel: every product is wrong, and takes next to no time.
describe('the suite on the fake driver', () => {
  it('lets ours, the peers and the floor take turns, and sees what is wrong', async () => {
    const result = await measured(PEER_NAMES, python)
    const { meta, contestants, rows, ceilings } = result
    expect(meta).toMatchObject({ kind: 'cuda', rounds: 2, set: 'small' })
    expect(contestants).toMatchObject({
      ours: { operands: 'e4m3, block scales' },
      deepgemm: { label: 'DeepGEMM', version: '9.9' },
    })
    expect(Object.keys(contestants)).toHaveLength(2)
    expect(meta.missing).toContain('cublaslt: ImportError: no such module')
    expect(meta.missing).toContain('deepgemm, dense 2x256x512: ValueError: not two')
    const [dense, refused, grouped] = rows
    expect(dense?.figures['deepgemm']).toEqual({ us: [22, 22], error: 1e-6 })
    expect(dense?.figures['ours']).toMatchObject({ error: null })
    expect(dense?.floor_us).toHaveLength(2)
    expect(dense?.config).toMatch(/\d+x\d+\/s\d/)
    expect(refused?.figures['deepgemm']).toBeUndefined()
    expect(grouped?.figures['deepgemm']?.us).toHaveLength(2)
    expect(ceilings.peaks.map(({ label }) => label)).toEqual(['FP8 tensor cores', 'with promotion'])
    expect(wrongProducts(result)).toHaveLength(3)
    expect(await settledLeaks(fake)).toEqual({})
  }, 120_000)

  it('does without a Python, and says so', async () => {
    vi.stubEnv('PATH', '')
    const { contestants, meta } = await measured(PEER_NAMES)
    expect(Object.keys(contestants)).toEqual(['ours'])
    expect(meta.missing.join()).toMatch(/no python3 on the PATH/)
    expect((await measured([])).meta.missing).toEqual([])
  }, 120_000)
})
