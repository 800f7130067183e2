// Opens devices and streams, gives them work and drops them without dispose; Linux, --expose-gc.

import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { Device } from '@deepgemm/runtime'
import { enqueueProducts } from './work.mjs'

const threads = () =>
  Number(/^Threads:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1])

async function openAndDrop() {
  const device = await Device.open({ threads: 3 })
  const streams = [device.createStream(), device.createStream()]
  for (const stream of streams) {
    for (const owned of enqueueProducts(device, 1, stream)) owned.dispose()
    await stream.synchronize()
  }
}

await openAndDrop()
await setTimeout(50)
globalThis.gc()
await setTimeout(50)
const before = threads()
for (let i = 0; i < 8; i++) await openAndDrop()
const most = threads()
for (let i = 0; i < 100 && threads() > before; i++) {
  globalThis.gc()
  await setTimeout(20)
}
process.stdout.write(JSON.stringify({ before, most, after: threads() }))
