// Mixed operations for a long time, then the question of what grew. Needs the packages built.
//
//   node --expose-gc tools/soak/soak.mjs --device cpu --seconds 1800
//
// Sixty samples are taken, each after a collection. Flat means: the median of the last third of them
// lies above the median of the second third by at most 2 % or 8 MiB, of buffers by at most 4. The
// first third is for caches that fill, and for workspaces that grow with the largest product. At the
// end no buffer and no file handle is left, and no thread but Node's own.

import { readdirSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Device } from '../../packages/deepgemm/dist/index.js'
import { NAMES, operate } from './operations.mjs'

const MIB = 2 ** 20
const SAMPLES = 60

const { values } = parseArgs({
  options: {
    device: { type: 'string', default: 'cpu' },
    seconds: { type: 'string', default: '60' },
  },
})
const seconds = Number(values.seconds)
if (!(seconds > 0) || globalThis.gc === undefined) {
  console.error('usage: node --expose-gc tools/soak/soak.mjs --device <cpu|cuda> --seconds <n>')
  process.exit(2)
}

/** Threads and open files of this process. */
const handles = () => ({
  threads: readdirSync('/proc/self/task').length,
  files: readdirSync('/proc/self/fd').length,
})

/** Bytes of memory that this process holds and that no file backs. */
function residentBytes() {
  const [, kilobytes] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return Number(kilobytes) * 1024
}

async function collect() {
  // Finalizers run on turns of the event loop after the collection.
  for (let i = 0; i < 3; i++) {
    globalThis.gc()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function sample(device) {
  await collect()
  await device.synchronize()
  const { liveBytes, buffers } = device.memory()
  // What the pool keeps for later is given back, so that the driver's count is of live memory.
  device.trim?.()
  const info = device.memoryInfo?.()
  return {
    resident: residentBytes(),
    heap: process.memoryUsage().heapUsed,
    live: liveBytes,
    buffers: buffers.length,
    ...(info && { pool: info.reserved, gpu: info.total - info.free }),
  }
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1]

/** By how much the last third lies above the second, and whether that is flat. */
function growth(samples, name, slack) {
  const third = Math.floor(samples.length / 3)
  const [before, after] = [samples.slice(third, 2 * third), samples.slice(2 * third)].map((part) =>
    median(part.map((item) => item[name])),
  )
  return { name, before, after, flat: after - before <= slack(before) }
}

const noise = (bytes) => Math.max(0.02 * bytes, 8 * MIB)
const few = () => 4

async function run() {
  const counts = Object.fromEntries(NAMES.map((name) => [name, 0]))
  const device = await Device.open({ kind: values.device })
  const samples = []
  const start = performance.now()
  while (samples.length < SAMPLES) {
    const until = start + ((samples.length + 1) * seconds * 1000) / SAMPLES
    do {
      // Several at once, as a server has them.
      const some = Array.from({ length: 4 }, () => NAMES[Math.floor(Math.random() * NAMES.length)])
      await Promise.all(some.map((name) => operate(name, device)))
      for (const name of some) counts[name]++
    } while (performance.now() < until)
    samples.push(await sample(device))
  }
  await device.dispose()
  const left = device.memory().buffers
  return { counts, samples, left }
}

const before = handles()
const { counts, samples, left } = await run()
await collect()
const after = handles()
const checks = [
  growth(samples, 'resident', noise),
  growth(samples, 'heap', noise),
  growth(samples, 'live', noise),
  growth(samples, 'buffers', few),
  ...(samples[0].pool === undefined ? [] : [growth(samples, 'pool', noise)]),
]
const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
console.log(`${total} operations in ${seconds} s on ${values.device}:`, counts)
for (const { name, before: from, after: to, flat } of checks) {
  const shown = (value) => (name === 'buffers' ? String(value) : `${(value / MIB).toFixed(2)} MiB`)
  console.log(`${flat ? 'flat ' : 'GREW '} ${name}: ${shown(from)}, then ${shown(to)}`)
}
console.log('handles at the start and at the end:', before, after, `buffers left: ${left.length}`)
// Node starts threads of its own when files are first used.
const NODE_THREADS = 4
if (samples[0].gpu !== undefined) {
  // Of all processes on the GPU, and so no check.
  const used = [samples[20], samples.at(-1)].map(({ gpu }) => `${(gpu / MIB).toFixed(0)} MiB`)
  console.log(`in use on the GPU after a third, and at the end: ${used.join(', ')}`)
}
const isClean = left.length === 0 && after.files <= before.files
const isEnded = after.threads <= before.threads + NODE_THREADS
process.exitCode = checks.every(({ flat }) => flat) && isClean && isEnded ? 0 : 1
