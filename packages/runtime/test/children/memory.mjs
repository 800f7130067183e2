// Uses many gigabytes of memory, a little at a time, and prints by how many MiB the process grew.

import { Device } from '@deepgemm/runtime'
import { cpuConvertFloats, cpuQueue } from '@deepgemm/runtime/cpu'

const MIB = 2 ** 20
const shape = [MIB]
const device = await Device.open({ threads: 1 })
const queue = cpuQueue(device)

const kinds = {
  /** The caller's arrays, borrowed while a job reads them. */
  wrapped: () => device.wrap(new Float32Array(MIB).fill(1), { dtype: 'f32', shape }),
  allocated: () => device.zeros({ dtype: 'f32', shape }),
}
const make = kinds[process.argv[2]]

async function use(times) {
  for (let i = 0; i < times; i++) {
    const source = make()
    const out = device.zeros({ dtype: 'bf16', shape })
    cpuConvertFloats(queue, source, out)
    source.dispose()
    await out.toBytes()
    out.dispose()
  }
}

await use(100)
const before = process.memoryUsage.rss()
await use(900)
const grown = (process.memoryUsage.rss() - before) / MIB
process.stdout.write(JSON.stringify({ grown, live: device.memory().liveBytes }))
