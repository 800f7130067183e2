// Ends, in the way it is told, while products are running.

import { Device } from '@deepgemm/runtime'
import { enqueueProducts } from './work.mjs'

const device = await Device.open({ threads: 2 })
const owned = enqueueProducts(device, 40)
// Memory of this process's own, given back in the last turn of the event loop.
owned.push(device.wrap(new Float32Array(1000), { dtype: 'f32', shape: [1000] }))
const event = device.defaultStream.record()
for (const item of owned) item.dispose()
process.on('exit', () => process.stdout.write(event.done ? 'idle' : 'busy'))

const endings = {
  'falls off its end': () => {},
  'calls process.exit': () => process.exit(0),
  'disposes its stream': () => device.defaultStream.dispose(),
  'awaits its work': () => event.synchronize(),
  'has finished work that nobody was told of': () => {
    void device.defaultStream.synchronize()
    while (!event.done);
    process.exit(0)
  },
}
await endings[process.argv[2]]()
