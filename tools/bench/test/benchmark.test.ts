import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, describe, expect, it } from 'vitest'
import { gemmCases, workload } from '../src/plan/cases.js'
import type { Report } from '../src/report.js'
import { run } from '../src/run.js'

const folder = mkdtempSync(join(tmpdir(), 'deepgemm-bench-'))
afterAll(() => rmSync(folder, { recursive: true }))

const QUICK = ['cpu', '--quick', '--pairs', '1', '--threads', '1', '--no-peers']

type Ran = { readonly code: number; readonly out: string; readonly err: string }

async function ran(args: readonly string[], abort = new AbortController()): Promise<Ran> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const code = await run(args, { stdout, stderr, signal: abort.signal })
  return { code, out: String(stdout.read() ?? ''), err: String(stderr.read() ?? '') }
}

/** Every number in the rows of a report. */
function numbersOf(report: Report): number[] {
  const { meta: _, ...sections } = report
  return Object.values(sections).flatMap((rows) =>
    rows.flatMap((row) => Object.values(row).filter((value) => typeof value === 'number')),
  )
}

describe('a quick benchmark', () => {
  it('measures every section and writes what it shows', async () => {
    const path = join(folder, 'cpu.json')
    const { code, out, err } = await ran([...QUICK, '--out', path])
    expect({ code, err }).toMatchObject({ code: 0, err: expect.stringContaining(path) })
    const report = JSON.parse(readFileSync(path, 'utf8')) as Report
    expect(report.meta).toMatchObject({ quick: true, pairs: 1, node: process.versions.node })
    const expected = gemmCases(workload(true), [1]).filter(({ isa }) => isa === undefined)
    expect(report.rows.slice(0, expected.length)).toMatchObject(
      expected.map(({ m, n, k, threads }) => ({ m, n, k, threads })),
    )
    expect(report.casts.map(({ source, recipe }) => `${source} ${recipe}`)).toEqual([
      'f32 1x128',
      'f32 128x128',
      'bf16 1x128',
      'bf16 128x128',
    ])
    expect(report.grouped).toHaveLength(6 * workload(true).grouped.length)
    expect([report.overhead.length, report.event_loop.length]).toEqual([1, 1])
    expect(numbersOf(report).every(Number.isFinite)).toBe(true)
    expect(report.rows.every((row) => row.ours_gflops > 0 && row.floor_ratio > 0)).toBe(true)
    for (const title of ['Dense products', 'Casts', 'overhead', 'Grouped', 'Event loop']) {
      expect(out).toContain(title)
    }
  }, 120_000)

  it('stops when it is interrupted, and writes nothing', async () => {
    const abort = new AbortController()
    const path = join(folder, 'interrupted.json')
    const running = ran([...QUICK, '--sections', 'overhead', '--out', path], abort)
    setTimeout(() => abort.abort(new Error('interrupted')), 50)
    expect((await running).code).toBe(130)
    expect(existsSync(path)).toBe(false)
  }, 120_000)

  it('says at once that it cannot write there', async () => {
    writeFileSync(join(folder, 'file'), '')
    const { code, err } = await ran([...QUICK, '--out', join(folder, 'file', 'cpu.json')])
    expect(code).toBe(1)
    expect(err).toMatch(/^bench: .*file/)
  })
})
