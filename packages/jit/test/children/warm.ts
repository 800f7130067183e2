import { chownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { type CacheEvent, KernelCache } from '@deepgemm/jit'
import { cubinOf, specOf } from '../support/kernels.js'

// Warms kernels as one of several processes or threads, and reports what it had to do.

export type WarmTask = {
  readonly root: string
  /** Numbers of the kernels to have. */
  readonly keys: readonly number[]
  /** Requests per kernel at the same time; default 1. */
  readonly promises?: number
  /** Threads of the process that each do the whole task; without it the main thread does it. */
  readonly threads?: number
  /** Gets one file per compile, named `<number>-<pid>-<thread>`. */
  readonly countIn?: string
  readonly compileMs?: number
  readonly cubinBytes?: number
  /** Becomes this user first. */
  readonly uid?: number
  /** Gives this folder to that user before. */
  readonly own?: string
  readonly staleLockMs?: number
}

export type WarmReport = {
  /** Kernels returned with the right bytes. */
  readonly kernels: number
  readonly compiled: number
  readonly unwritable: readonly string[]
  readonly refused: readonly string[]
  readonly rejected: readonly string[]
}

const task = (isMainThread ? JSON.parse(process.argv[2] ?? '{}') : workerData) as WarmTask

if (task.uid !== undefined) {
  if (task.own !== undefined) chownSync(task.own, task.uid, task.uid)
  process.setgroups?.([])
  process.setgid?.(task.uid)
  process.setuid?.(task.uid)
}

/** Does the task in this thread. */
async function warm(): Promise<WarmReport> {
  const { root, keys, promises = 1, countIn, compileMs = 0, cubinBytes = 256, staleLockMs } = task
  const events: CacheEvent[] = []
  let compiled = 0

  const cache = await KernelCache.open({
    roots: { readOnly: [], writable: root },
    env: {},
    onEvent: (event) => events.push(event),
    ...(staleLockMs === undefined ? {} : { staleLockMs }),
  })

  async function compile(number: number): Promise<Uint8Array> {
    compiled += 1
    if (countIn !== undefined) {
      writeFileSync(join(countIn, `${number}-${process.pid}-${Math.random()}`), '')
    }
    await sleep(compileMs * (0.5 + Math.random()))
    return cubinOf(number, cubinBytes)
  }

  async function have(number: number): Promise<boolean> {
    const { cubin } = await cache.getOrCompile(specOf(number), () => compile(number))
    return Buffer.from(cubin).equals(cubinOf(number, cubinBytes))
  }

  const wanted = keys.flatMap((number) => Array.from({ length: promises }, () => number))
  const right = (await Promise.all(wanted.map(have))).filter(Boolean).length
  const texts = (type: CacheEvent['type']): readonly string[] =>
    events.flatMap((event) => (event.type === type && 'reason' in event ? [event.reason] : []))
  return {
    kernels: right / promises,
    compiled,
    unwritable: texts('unwritable'),
    refused: texts('root-refused'),
    rejected: texts('entry-rejected'),
  }
}

/** Has threads do it, all at once; `kernels` is what the one with the fewest has. */
async function warmInThreads(count: number): Promise<WarmReport> {
  const { threads: _, ...own } = task
  const reports = await Promise.all(
    Array.from({ length: count }, () => {
      const worker = new Worker(new URL(import.meta.url), { workerData: own })
      return new Promise<WarmReport>((resolve, reject) => {
        worker.once('message', resolve).once('error', reject)
      })
    }),
  )
  return {
    kernels: Math.min(...reports.map(({ kernels }) => kernels)),
    compiled: reports.reduce((sum, { compiled }) => sum + compiled, 0),
    unwritable: reports.flatMap(({ unwritable }) => unwritable),
    refused: reports.flatMap(({ refused }) => refused),
    rejected: reports.flatMap(({ rejected }) => rejected),
  }
}

const report = await (task.threads === undefined ? warm() : warmInThreads(task.threads))
if (isMainThread) process.stdout.write(JSON.stringify(report))
else parentPort?.postMessage(report)
