// Threads of a CPU device: how many, how nice, and what they leave to the event loop.

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { GemmProblem } from '@deepgemm/core'
import { allocateQuantized, Device } from '@deepgemm/runtime'
import { cpuGemm, cpuQueue } from '@deepgemm/runtime/cpu'
import { beforeAll, describe, expect, it } from 'vitest'

const run = promisify(execFile)
const home = fileURLToPath(new URL('..', import.meta.url))
const root = fileURLToPath(new URL('../../..', import.meta.url))
const CHILD = fileURLToPath(new URL('./children/limits.mjs', import.meta.url))

beforeAll(async () => {
  if (process.env['DEEPGEMM_PREBUILT'] === '1') return
  await run(join(root, 'node_modules/.bin/tsc'), ['-b', home])
}, 300_000)

type Limits = { parallelism: number; nicer: number[] }

/** What a process says of its device, started by `launcher` with `env`. */
async function limits(env: Record<string, string>, launcher: string[] = []): Promise<Limits> {
  const [file = process.execPath, ...args] = [...launcher, process.execPath, CHILD]
  const own = { ...process.env, DEEPGEMM_THREADS: '', DEEPGEMM_NICE: '', ...env }
  return JSON.parse((await run(file, args, { env: own })).stdout)
}

function firstAllowedProcessor(): string {
  const status = readFileSync('/proc/self/status', 'utf8')
  return /^Cpus_allowed_list:\s*(\d+)/m.exec(status)?.[1] ?? '0'
}

const canPin = await run('taskset', ['--version']).then(
  () => true,
  () => false,
)

describe.runIf(process.platform === 'linux')('the threads of a CPU device', () => {
  it('are as many as the environment says', async () => {
    const { parallelism, nicer } = await limits({ DEEPGEMM_THREADS: '3' })
    expect(parallelism).toBe(3)
    expect(nicer).toHaveLength(3) // two workers and the stream's
  })

  it.runIf(canPin)('are as many as the processors that it may run on', async () => {
    const pinned = await limits({}, ['taskset', '-c', firstAllowedProcessor()])
    expect(pinned.parallelism).toBe(1)
  })

  it('give way to the event loop when they take every processor', async () => {
    const { parallelism, nicer } = await limits({})
    expect(nicer).toEqual(Array(parallelism).fill(10))
  })

  it('are as nice as the environment says', async () => {
    expect((await limits({ DEEPGEMM_NICE: '0' })).nicer).not.toContain(10)
    const { nicer } = await limits({ DEEPGEMM_NICE: '3', DEEPGEMM_THREADS: '2' })
    expect(nicer).toEqual([3, 3])
  })
})

const PROBLEM: GemmProblem = {
  layout: 'dense',
  groups: 1,
  m: 128,
  n: 128,
  k: 128,
  recipeB: '128x128',
  scaleDTypes: { a: 'f32', b: 'f32' },
  out: 'f32',
  accumulate: false,
}

describe('small products', () => {
  async function withProduct(use: (device: Device, enqueue: () => void) => Promise<void>) {
    await using device = await Device.open({ kind: 'cpu', threads: 2 })
    const shape = [128, 128]
    using a = allocateQuantized(device, { shape, recipe: '1x128' })
    using b = allocateQuantized(device, { shape, recipe: '128x128' })
    using out = device.zeros({ dtype: 'f32', shape })
    await use(device, () => cpuGemm(cpuQueue(device), PROBLEM, { a, b, out }))
  }

  it('are done when the call returns', async () => {
    await withProduct(async (device, enqueue) => {
      for (let i = 0; i < 3; i++) {
        await sleep(2) // a turn of the event loop, which a slow machine may need to itself
        enqueue()
        expect(device.defaultStream.record().done).toBe(true)
      }
    })
  })

  // A sanitizer changes every time.
  it.skipIf(process.env['SANITIZER'] !== undefined)(
    'let timers fire between them, awaited one after another without end',
    async () => {
      await withProduct(async (device, enqueue) => {
        let ticks = 0
        const timer = setInterval(() => ticks++, 1)
        // Without a turn of the event loop these would pass without one tick.
        for (let i = 0; i < 3000 && ticks < 5; i++) {
          enqueue()
          await device.defaultStream.synchronize()
        }
        clearInterval(timer)
        expect(ticks).toBe(5)
      })
    },
  )

  it('queue up when there are more than the event loop can wait for', async () => {
    await withProduct(async (device, enqueue) => {
      for (let i = 0; i < 500; i++) enqueue()
      const last = device.defaultStream.record()
      await device.defaultStream.synchronize()
      expect(last.done).toBe(true)
    })
  })
})
