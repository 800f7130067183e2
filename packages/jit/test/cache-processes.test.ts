import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import type { WarmReport, WarmTask } from './children/warm.js'
import { childScript, runChild, startChild } from './support/children.js'
import { leftovers } from './support/files.js'
import { temporaryFolder } from './support/folders.js'

/** Kills in the kill test; more find rarer moments. */
const kills = Number(process.env['DEEPGEMM_TEST_KILLS'] ?? 20)

/** Who warms one cache at once; DEEPGEMM_TEST_STORM=16x4x50 makes it 64 threads. */
const storm = stormOf(process.env['DEEPGEMM_TEST_STORM'] ?? '3x2x10')

function stormOf(text: string): { processes: number; threads: number; kernels: number } {
  const [processes = 0, threads = 0, kernels = 0] = text.split('x').map(Number)
  return { processes, threads, kernels }
}

type Shared = { readonly root: string; readonly countIn: string }

function sharedFolders(): Shared {
  const folder = temporaryFolder()
  const countIn = join(folder, 'compiles')
  mkdirSync(countIn)
  return { root: join(folder, 'cache'), countIn }
}

/** How often each kernel was compiled, over all processes. */
function compilesOf({ countIn }: Shared): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of readdirSync(countIn)) {
    const number = name.split('-')[0] ?? ''
    counts[number] = (counts[number] ?? 0) + 1
  }
  return counts
}

function onceEach(keys: readonly number[]): Record<string, number> {
  return Object.fromEntries(keys.map((key) => [key, 1]))
}

async function runThread(task: WarmTask): Promise<WarmReport> {
  const worker = new Worker(await childScript('warm'), { workerData: task })
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

describe('many at once', () => {
  const keys = Array.from({ length: 10 }, (_, index) => index)

  it('eight processes with four requests each compile every kernel once', async () => {
    const shared = sharedFolders()
    const task = { ...shared, keys, promises: 4, compileMs: 40 }
    const reports = await Promise.all(keys.slice(0, 8).map(() => runChild('warm', task)))
    for (const report of reports) {
      expect(report).toMatchObject({ kernels: 10, unwritable: [], refused: [] })
    }
    expect(compilesOf(shared)).toEqual(onceEach(keys))
    expect(leftovers(shared.root)).toEqual([])
  })

  it(`${storm.processes} processes of ${storm.threads} threads compile ${storm.kernels} kernels once each`, {
    timeout: 60_000 + storm.processes * 30_000,
  }, async () => {
    const shared = sharedFolders()
    const numbers = Array.from({ length: storm.kernels }, (_, index) => index)
    const task = { ...shared, keys: numbers, threads: storm.threads, compileMs: 20 }
    const all = Array.from({ length: storm.processes }, () => runChild('warm', task))
    for (const report of await Promise.all(all)) {
      expect(report).toMatchObject({ kernels: storm.kernels, unwritable: [], rejected: [] })
    }
    expect(compilesOf(shared)).toEqual(onceEach(numbers))
    expect(leftovers(shared.root)).toEqual([])
  })

  it('four threads of one process compile every kernel once', async () => {
    const shared = sharedFolders()
    const task = { ...shared, keys, promises: 4, compileMs: 40 }
    const reports = await Promise.all(keys.slice(0, 4).map(() => runThread(task)))
    for (const report of reports) expect(report).toMatchObject({ kernels: 10, unwritable: [] })
    expect(compilesOf(shared)).toEqual(onceEach(keys))
    expect(leftovers(shared.root)).toEqual([])
  })
})

describe('kill -9', () => {
  const keys = Array.from({ length: 6 }, (_, index) => index)

  it(`${kills} times at random moments leaves a cache that the next start uses`, {
    timeout: 60_000 + kills * 3000,
  }, async () => {
    const { root } = sharedFolders()
    for (let kill = 0; kill < kills; kill += 1) {
      // Old kernels stay, new ones come with every round: the kill hits reads, locks and writes.
      const wanted = keys.map((key) => key + kill * 2)
      await killAtRandom({ root, keys: wanted, compileMs: 20, cubinBytes: 20_000 })
      const next = await runChild('warm', { root, keys: wanted, cubinBytes: 20_000 })
      expect(next).toMatchObject({ kernels: keys.length, unwritable: [], rejected: [] })
      expect(leftovers(root)).toEqual([])
    }
  })

  it('of the process that compiles lets a waiting one go on', async () => {
    const shared = sharedFolders()
    const first = await startChild('warm', { ...shared, keys: [1], compileMs: 60_000 })
    while (compilesOf(shared)['1'] === undefined) await sleep(10)
    const waiting = runChild('warm', { ...shared, keys: [1] })
    await sleep(300)
    expect(compilesOf(shared)).toEqual({ 1: 1 })
    first.kill('SIGKILL')
    expect(await waiting).toMatchObject({ kernels: 1, compiled: 1 })
  })
})

async function killAtRandom(task: WarmTask): Promise<void> {
  const child = await startChild('warm', task)
  const closed = new Promise((resolve) => child.once('close', resolve))
  // A child needs some 60 ms to start and some 200 to finish on an idle machine.
  await sleep(40 + Math.random() * 200)
  child.kill('SIGKILL')
  await closed
}
