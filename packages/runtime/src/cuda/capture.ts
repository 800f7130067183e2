import { loadAddon } from '../native/load.js'
import type { CudaDevice } from './device.js'
import { CudaGraph } from './graph.js'
import { CudaStream } from './stream.js'

/**
 * What `enqueue` enqueues on a stream of its own, as a graph. The stream is new, so that nothing
 * outside of the capture has work on it.
 */
export function captureGraph(device: CudaDevice, enqueue: (stream: CudaStream) => void): CudaGraph {
  using stream = new CudaStream(device, 'capture')
  stream.beginCapture()
  try {
    enqueue(stream)
  } catch (error) {
    stream.endCapture()
    stream.native.abortCapture()
    throw error
  }
  const kernels = stream.endCapture()
  const { Graph } = loadAddon().cuda
  const native = device.health.call(
    `A graph of ${kernels.length} kernels could not be made`,
    () => {
      return new Graph(device.native, stream.native)
    },
  )
  return new CudaGraph({ device, native, kernels })
}
