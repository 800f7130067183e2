import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  openBench,
  runSuite,
  type SuiteBench,
  type SuiteCase,
  type SuiteRow,
  type SuiteRun,
  wrongProducts,
} from '@deepgemm/bench'
import { Device } from 'deepgemm'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { ErrorSums, sampledPositions } from '../src/suite/error-sums.js'
import { madeResult } from './support/results.js'

const folder = mkdtempSync(join(tmpdir(), 'deepgemm-suite-'))
beforeAll(() => {
  vi.stubEnv('XDG_CACHE_HOME', folder)
})
afterAll(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

const dense = (m: number): SuiteCase => ({
  ...{ layer: 'one', problem: 'dense', m, n: 160, k: 256, groups: 1 },
})
const EXPERTS: SuiteCase = { layer: 'e', problem: 'contiguous', m: 5, n: 128, k: 256, groups: 3 }

/** Measures nothing, and remembers what it was asked for. */
class PaperBench implements SuiteBench {
  readonly facts = madeResult().meta
  readonly contestants = madeResult().contestants
  readonly missing = []
  readonly asked: number[] = []
  failsAt = 0
  expectedSeconds = () => 1
  ceilings = async () => madeResult().ceilings
  close = async () => {}

  async measure(item: SuiteCase): Promise<SuiteRow> {
    if (item.m === this.failsAt) throw new Error('interrupted')
    this.asked.push(item.m)
    return { ...(madeResult().rows[0] as SuiteRow), ...item }
  }
}

function suiteRun(name: string, change: Partial<SuiteRun> = {}): SuiteRun {
  const set = { name, cases: [1, 2, 3].map(dense) }
  const watcher = { begin: vi.fn(), next: vi.fn(), done: vi.fn() }
  const { signal } = new AbortController()
  return { set, rounds: 2, command: 'test', fresh: false, signal, watcher, ...change }
}

describe('a run that is interrupted', () => {
  let bench: PaperBench
  const runs = () => readdirSync(join(folder, 'deepgemm-bench/runs'))
  beforeEach(() => {
    bench = new PaperBench()
  })

  async function interrupted(name: string): Promise<void> {
    bench.failsAt = 3
    await expect(runSuite(bench, suiteRun(name))).rejects.toThrow('interrupted')
    bench.failsAt = 0
    bench.asked.length = 0
  }

  it('goes on where it was, and leaves nothing behind when it is done', async () => {
    await interrupted('a')
    expect(runs()).toHaveLength(1)
    const run = suiteRun('a')
    const { rows, meta } = await runSuite(bench, run)
    expect(bench.asked).toEqual([3])
    expect(rows.map(({ m }) => m)).toEqual([1, 2, 3])
    expect(meta.sittings).toBe(2)
    expect(run.watcher.begin).toHaveBeenCalledWith({ rows: 3, known: 2, work: 1 })
    expect(run.watcher.done).toHaveBeenCalledTimes(1)
    expect(runs()).toEqual([])
  })

  it('begins anew when it is told to, or measures something else', async () => {
    await interrupted('b')
    await runSuite(bench, suiteRun('b', { fresh: true }))
    expect(bench.asked).toEqual([1, 2, 3])
    await interrupted('b')
    await runSuite(bench, suiteRun('b', { rounds: 3 }))
    expect(bench.asked).toEqual([1, 2, 3])
  })

  it('drops a line that was being written when the process was killed', async () => {
    await interrupted('c')
    const [file] = runs().slice(-1)
    for (const name of runs()) {
      appendFileSync(join(folder, 'deepgemm-bench/runs', name), '{"layer":"one","fig')
    }
    expect(file).toBeDefined()
    await runSuite(bench, suiteRun('c'))
    expect(bench.asked).toEqual([3])
  })

  it('stops between products when it is told to', async () => {
    const abort = new AbortController()
    const watcher = { begin() {}, next() {}, done: () => abort.abort(new Error('enough')) }
    const run = suiteRun('d', { signal: abort.signal, watcher })
    await expect(runSuite(bench, run)).rejects.toThrow('enough')
    expect(bench.asked).toEqual([1])
  })
})

describe('the suite on this CPU', () => {
  it('times dense and grouped products that are right, beside the limits of the machine', async () => {
    const { signal } = new AbortController()
    const set = { name: 'small', cases: [dense(3), EXPERTS] }
    const device = await Device.open({ kind: 'cpu', threads: 1 })
    const settings = { set, rounds: 2, peers: [], python: undefined, signal }
    const bench = await openBench({ device, ...settings })
    try {
      const result = await runSuite(bench, suiteRun('cpu', { set }))
      expect(wrongProducts(result)).toEqual([])
      for (const { figures, floor_us } of result.rows) {
        expect(figures['ours']?.us).toHaveLength(2)
        expect(figures['ours']?.error).toBeLessThan(1e-5)
        expect(floor_us).toHaveLength(2)
      }
      expect(result.ceilings.read_gbs).toHaveLength(2)
      const [blocks, , bf16, f32] = result.formats
      expect(blocks?.normal).toBeGreaterThan(5e-4)
      expect(blocks?.normal).toBeLessThan(9e-4)
      expect(bf16?.normal).toBeLessThan(1e-5)
      expect(f32?.normal).toBe(0)
    } finally {
      await bench.close()
    }
  }, 120_000)
})

describe('products', () => {
  it('are wrong when their error is too large, or not a number', () => {
    const { rows } = madeResult()
    const [first, second] = rows as [SuiteRow, SuiteRow]
    const wrong = (error: number | null) => ({ ours: { us: [1], error } })
    expect(
      wrongProducts({
        rows: [
          { ...first, figures: wrong(null) },
          { ...second, figures: wrong(0.1) },
        ],
      }),
    ).toEqual([
      'q up, 1 x 4096 x 7168: its error is not a number',
      'q up, 64 x 4096 x 7168: its error is 0.1',
    ])
  })

  it('are compared at both ends and in between', () => {
    expect(sampledPositions(1)).toEqual([0])
    expect(sampledPositions(3)).toEqual([0, 1, 2])
    expect(sampledPositions(1000)).toHaveLength(16)
    expect(sampledPositions(1000).at(-1)).toBe(999)
  })

  it('have an error of 0 when equal, and near 1 against zeros', () => {
    const error = (pairs: [number, number][]) => {
      const sums = new ErrorSums()
      for (const [actual, expected] of pairs) sums.add(actual, expected)
      return sums.error
    }
    expect(error([])).toBe(0)
    expect(error([[3, 3]])).toBe(0)
    expect(error([[0, 5]])).toBe(1)
    expect(error([[Number.NaN, 5]])).toBeNaN()
  })
})
