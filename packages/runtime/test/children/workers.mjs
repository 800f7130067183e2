// Terminates workers whose work is in flight, and lets one finish, beside work of its own.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { Device } from '@deepgemm/runtime'
import { enqueueProducts } from './work.mjs'

const body = new URL('./worker-body.mjs', import.meta.url)
const device = await Device.open({ threads: 2 })
const [, , out] = enqueueProducts(device, 5)

for (let i = 0; i < 4; i++) {
  const worker = new Worker(body, { workerData: { products: 300 } })
  await once(worker, 'message')
  await worker.terminate()
}

const patient = new Worker(body, { workerData: { products: 2 } })
await once(patient, 'message')
const [product] = await once(patient, 'message')
await once(patient, 'exit')

const mine = await out.toFloat32Array()
process.stdout.write(`${product.length} ${mine.length}`)
