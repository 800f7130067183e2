// A worker with work in flight on two streams.

import { parentPort, workerData } from 'node:worker_threads'
import { Device } from '@deepgemm/runtime'
import { enqueueProducts } from './work.mjs'

const device = await Device.open({ threads: 2 })
const owned = enqueueProducts(device, workerData.products)
enqueueProducts(device, workerData.products, device.createStream())
const view = new Float32Array(1 << 20)
device.wrap(view, { dtype: 'f32', shape: [1 << 20] })
parentPort.postMessage('busy')
await device.synchronize()
parentPort.postMessage(await owned[2].toFloat32Array())
