// Ends in one of several ways while work on a CUDA device is in flight; prints what is left.

import { createRequire } from 'node:module'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { ArgumentList, CudaDevice } from '@deepgemm/runtime/cuda'

const ELF = Uint8Array.from({ length: 64 }, (_, i) => [0x7f, 0x45, 0x4c, 0x46][i] ?? 0)

const fake = createRequire(import.meta.url)(process.env.DEEPGEMM_CUDA_LIBRARY)

/** Starts fills, a graph, copies and waits for them; nothing is awaited. */
function startWork() {
  const device = new CudaDevice()
  const tensor = device.zeros({ dtype: 'u8', shape: [64] })
  const module = device.loadModule(ELF)
  const fill = module.kernel('fill')
  const args = new ArgumentList().pointer(tensor).i64(64).u32(1)
  fake.slow(0, 10)
  const graph = device.capture((stream) => fill.launch(args, { grid: [1], block: [32] }, stream))
  graph.launch()
  const pinned = device.pinned(64)
  pinned.copyTo(tensor.storage)
  const waits = [
    device.synchronize(),
    tensor.toBytes(),
    device.defaultStream.record().synchronize(),
  ]
  return { device, owned: [graph, module, pinned, tensor], waits }
}

/** What the driver still has ten seconds later; memory is freed behind queued work. */
async function left() {
  const alive = () => Object.entries(fake.live()).filter(([, count]) => count !== 0)
  for (let i = 0; i < 1000 && alive().length > 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return JSON.stringify(alive())
}

/** A worker that has work in flight and is terminated, some of them after they have ended. */
async function runWorkers() {
  for (let i = 0; i < 8; i++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: 'worker' })
    await new Promise((resolve) => worker.once('message', resolve))
    if (i % 2 === 1) await new Promise((resolve) => worker.once('exit', resolve))
    await worker.terminate()
  }
  process.stdout.write(await left())
}

if (!isMainThread) {
  const { parentPort } = await import('node:worker_threads')
  startWork()
  parentPort.postMessage(workerData)
} else if (process.argv[2] === 'uses workers') {
  await runWorkers()
} else {
  const { device, owned, waits } = startWork()
  if (process.argv[2] === 'calls process.exit') process.exit(0)
  if (process.argv[2] === 'disposes everything') {
    for (const item of owned) item.dispose()
    void device.dispose()
  }
  if (process.argv[2] === 'awaits its work') {
    await Promise.all(waits)
    for (const item of owned) item.dispose()
    await device.dispose()
    process.stdout.write(await left())
  }
}
