import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { kernelKey } from '@deepgemm/jit'
import { describe, expect, it } from 'vitest'
import { systemFs } from '../src/cache/cache-fs.js'
import { findOrMake } from '../src/cache/compile-once.js'
import { LockWatch } from '../src/cache/lock-watch.js'
import { currentProcess, hasEnded } from '../src/cache/process-identity.js'
import { faultyFs } from './support/faulty-fs.js'
import { entryFiles, leftovers } from './support/files.js'
import { temporaryFolder } from './support/folders.js'
import { cubinOf, type Observed, observedCache, specOf } from './support/kernels.js'

async function withLock(
  content: string,
  staleLockMs = 15_000,
): Promise<Observed & { root: string; lock: string }> {
  const root = join(temporaryFolder(), 'cache')
  const observed = await observedCache(root, { staleLockMs })
  const lock = entryFiles(root, 1).manifest.replace(/json$/, 'lock')
  writeFileSync(lock, content)
  return { ...observed, root, lock }
}

/** Milliseconds until kernel 1 is there. */
async function timeToHave(observed: Observed): Promise<number> {
  const started = performance.now()
  expect(await observed.want(1)).toEqual(cubinOf(1))
  return performance.now() - started
}

/** The identity of a process that ran a moment ago. */
async function endedProcess(): Promise<{ host: string; pid: number; started: string }> {
  const child = spawn(process.execPath, ['-e', ''])
  await new Promise((resolve) => child.once('close', resolve))
  return { host: currentProcess().host, pid: child.pid ?? 0, started: '' }
}

describe('the lock of a key', () => {
  it('of a process that ended is taken over at once', async () => {
    const observed = await withLock(JSON.stringify(await endedProcess()))
    expect(await timeToHave(observed)).toBeLessThan(5000)
    expect(leftovers(observed.root)).toEqual([])
  })

  it('of a process whose number was given to another is taken over at once', async () => {
    const owner = { ...currentProcess(), started: '1' }
    const observed = await withLock(JSON.stringify(owner))
    expect(await timeToHave(observed)).toBeLessThan(5000)
  })

  it.each([
    ['of another machine', JSON.stringify({ host: 'ffffffff', pid: 1, started: '1' })],
    ['that is empty', ''],
    ['that is no lock', 'whatever'],
    ['of this process', JSON.stringify(currentProcess())],
  ])('%s is taken over when its heartbeat stops', async (_, content) => {
    const observed = await withLock(content, 300)
    expect(await timeToHave(observed)).toBeGreaterThan(290)
    expect(observed.events[0]).toEqual({ type: 'waiting', key: kernelKey(specOf(1)) })
    expect(leftovers(observed.root)).toEqual([])
  })

  it('with a beating heart is respected, whatever the clock says', async () => {
    const observed = await withLock('', 1000)
    let beats = 0
    const heart = setInterval(() => {
      // Years ago and going backwards: only the change counts.
      beats += 1
      utimesSync(observed.lock, 1e9 - beats, 1e9 - beats)
    }, 50)
    let done = false
    const kernel = observed.want(1).then(() => {
      done = true
    })
    await sleep(2200)
    expect(done).toBe(false)
    clearInterval(heart)
    await kernel
    expect(observed.compiled).toEqual([1])
  })

  it('is kept alive while a compile takes longer than its life', async () => {
    const root = join(temporaryFolder(), 'cache')
    const [one, two] = [
      await observedCache(root, { staleLockMs: 2500 }),
      await observedCache(root, { staleLockMs: 2500 }),
    ]
    let compiles = 0
    const slow = async (): Promise<Uint8Array> => {
      compiles += 1
      await sleep(3500)
      return cubinOf(1)
    }
    await Promise.all([one, two].map(({ cache }) => cache.getOrCompile(specOf(1), slow)))
    expect(compiles).toBe(1)
  })

  it('is given back when the compile fails, and the next one tries again', async () => {
    const root = join(temporaryFolder(), 'cache')
    const { cache, want } = await observedCache(root)
    const fail = (): Promise<Uint8Array> => Promise.reject(new Error('no such register'))
    await expect(cache.getOrCompile(specOf(1), fail)).rejects.toThrow('no such register')
    expect(leftovers(root)).toEqual([])
    expect(await want(1)).toEqual(cubinOf(1))
  })

  it('that was put there as a link or a folder keeps nobody from compiling', async () => {
    const linked = await withLock('', 200)
    rmSync(linked.lock)
    symlinkSync('/nonexistent', linked.lock)
    await timeToHave(linked)
    for (const end of ['', '.takeover']) {
      const folder = await withLock('', 200)
      rmSync(folder.lock + end, { force: true })
      mkdirSync(folder.lock + end)
      await timeToHave(folder)
    }
  })

  it('is taken over by one of many waiters', async () => {
    const root = join(temporaryFolder(), 'cache')
    const waiters = await Promise.all(Array.from({ length: 12 }, () => observedCache(root)))
    const lock = entryFiles(root, 1).manifest.replace(/json$/, 'lock')
    for (let round = 0; round < 10; round += 1) {
      rmSync(entryFiles(root, 1).manifest, { force: true })
      writeFileSync(lock, JSON.stringify(await endedProcess()))
      await Promise.all(waiters.map(({ want }) => want(1)))
      const compiled = waiters.reduce((sum, waiter) => sum + waiter.compiled.length, 0)
      expect(compiled).toBe(round + 1)
    }
    expect(leftovers(root)).toEqual([])
  })

  it('is taken over even if the one who tried before died trying', async () => {
    const dead = JSON.stringify(await endedProcess())
    const observed = await withLock(dead)
    writeFileSync(`${observed.lock}.takeover`, dead)
    expect(await timeToHave(observed)).toBeLessThan(5000)
    expect(leftovers(observed.root)).toEqual([])
  })

  it('of a new owner is left alone by a waiter that judged the old one', async () => {
    const { lock } = await withLock(JSON.stringify(await endedProcess()))
    const fresh = JSON.stringify({ ...currentProcess(), nonce: 'fresh' })
    // Between judging and removing, another waiter is faster.
    const fs = faultyFs((call, path) => {
      if (call === 'open' && path.endsWith('.takeover')) writeFileSync(lock, fresh)
      return undefined
    })
    expect(await new LockWatch(fs, lock, 15_000).clearIfStale()).toBe('gone')
    expect(readFileSync(lock, 'utf8')).toBe(fresh)
  })

  it('is followed by another look, so that what was just published is not made again', async () => {
    const path = join(temporaryFolder(), 'lock')
    let looks = 0
    const find = async (): Promise<string | undefined> => {
      looks += 1
      return looks === 1 ? undefined : 'found'
    }
    const make = (): Promise<string> => Promise.reject(new Error('made again'))
    const steps = { find, make, admit: async () => () => undefined, onWait: () => undefined }
    expect(await findOrMake(systemFs, { path, staleMs: 15_000 }, steps)).toBe('found')
  })

  it('of a dead process is swept away when the cache is opened', async () => {
    const { root } = await withLock(JSON.stringify(await endedProcess()))
    await observedCache(root)
    expect(leftovers(root)).toEqual([])
  })
})

describe('a process identity', () => {
  it('tells running, ended and foreign processes apart', async () => {
    expect(hasEnded(currentProcess())).toBe(false)
    expect(hasEnded(await endedProcess())).toBe(true)
    expect(hasEnded({ ...(await endedProcess()), host: 'elsewhere' })).toBe(false)
    expect(hasEnded({ host: currentProcess().host, pid: process.ppid, started: '' })).toBe(false)
  })
})
