// Starts and ends many workers, four at a time, each with a device of its own and work on it: some
// dispose everything, some just end, some are terminated in their work. Prints what grew.

import { readdirSync, readFileSync } from 'node:fs'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Device } from '@deepgemm/runtime'
import { enqueueProducts } from './work.mjs'

const AT_ONCE = 4
const ENDINGS = ['disposes', 'ends', 'is terminated']

async function work(ending) {
  const device = await Device.open({ kind: 'cpu', threads: 2 })
  const owned = enqueueProducts(device, 1, device.createStream(), 256)
  if (ending === 'is terminated') enqueueProducts(device, 200)
  parentPort.postMessage('busy')
  if (ending !== 'disposes') return
  for (const item of owned) item.dispose()
  await device.dispose()
}

async function runOne(number) {
  const ending = ENDINGS[number % ENDINGS.length]
  const worker = new Worker(new URL(import.meta.url), { workerData: ending })
  const ended = new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject))
  await new Promise((resolve) => worker.once('message', resolve))
  if (ending === 'is terminated') await worker.terminate()
  await ended
}

async function round(count) {
  for (let from = 0; from < count; from += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => runOne(from + i)))
  }
  globalThis.gc()
  const [, kilobytes] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
  const threads = readdirSync('/proc/self/task').length
  return { threads, files: readdirSync('/proc/self/fd').length, mebibytes: kilobytes / 1024 }
}

if (isMainThread) {
  const count = Number(process.argv[2])
  const before = await round(20)
  process.stdout.write(JSON.stringify({ before, after: await round(count) }))
} else {
  await work(workerData)
}
