// Opens the default CPU device, has it multiply, and prints its threads and how nice they are; Linux.

import { readdirSync, readFileSync } from 'node:fs'
import { Device } from '@deepgemm/runtime'
import { enqueueProducts } from './work.mjs'

const tasks = () => readdirSync('/proc/self/task')

/** Field 19 of the file; its second field, in brackets, may hold anything. */
function niceness(task) {
  const fields = readFileSync(`/proc/self/task/${task}/stat`, 'utf8').split(') ').at(-1).split(' ')
  return Number(fields[16])
}

const before = new Set(tasks())
const device = await Device.open({ kind: 'cpu' })
for (const owned of enqueueProducts(device, 1)) owned.dispose()
await device.defaultStream.synchronize()
const own = niceness(process.pid)
const added = tasks().filter((task) => !before.has(task))
const nicer = added.map((task) => niceness(task) - own)
process.stdout.write(JSON.stringify({ parallelism: device.parallelism, nicer }))
await device.dispose()
