// Drops one buffer without dispose and disposes another; run with --expose-gc.

import { setImmediate } from 'node:timers/promises'
import { Device } from '@deepgemm/runtime'

const warnings = []
process.on('warning', ({ name, code, message }) => warnings.push({ name, code, message }))
const device = await Device.open({ threads: 1 })

/** Its own frame, so that nothing here refers to the tensors any more. */
function drop(labels) {
  for (const label of labels) device.zeros({ dtype: 'f32', shape: [256], label })
}

device.zeros({ dtype: 'f32', shape: [256], label: 'tidy' }).dispose()
for (let i = 0; i < 5; i++) await collect()
const tidy = warnings.length
drop(['forgotten', 'also forgotten'])
const before = device.memory().liveBytes
for (let i = 0; i < 50 && device.memory().liveBytes > 0; i++) await collect()
await setImmediate()
process.stdout.write(JSON.stringify({ tidy, before, after: device.memory().liveBytes, warnings }))

async function collect() {
  globalThis.gc()
  await setImmediate()
}
