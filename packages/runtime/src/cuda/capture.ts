import { loadAddon } from '../native/load.js'
import type { CudaDevice } from './device.js'
import { CudaGraph } from './graph.js'
import { CudaStream } from './stream.js'

/**
 * What `enqueue` enqueues on a stream, as a graph. Without a stream it is a new one, so that nothing
 * outside of the capture has work on it.
 */
export function captureGraph(
  device: CudaDevice,
  enqueue: (stream: CudaStream) => void,
  given?: CudaStream,
): CudaGraph {
  if (given !== undefined) return captureOn(given, enqueue)
  using stream = new CudaStream(device, 'capture')
  return captureOn(stream, enqueue)
}

function captureOn(stream: CudaStream, enqueue: (stream: CudaStream) => void): CudaGraph {
  const { device } = stream
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
