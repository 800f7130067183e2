/** CUDA devices for the packages above and for those who bring kernels of their own. */
export { type ArgumentForm, ArgumentList } from './argument-list.js'
export { CudaBuffer } from './buffer.js'
export { CudaDevice } from './device.js'
export {
  CudaError,
  type CudaFacts,
  CudaLaunchError,
  CudaMemoryError,
  DeviceLostError,
  type KernelNote,
  type LaunchConfig,
} from './errors.js'
export type { CudaEvent } from './event.js'
export type { CudaGraph } from './graph.js'
export type { CudaKernel, Extents, Geometry, KernelAttributes } from './kernel.js'
export type { CudaModule, KernelSpec } from './module.js'
export { type NvrtcLibrary, openNvrtc } from './nvrtc.js'
export type { CopyRange, PinnedBuffer } from './pinned.js'
export type { PreparedLaunch } from './prepared-launch.js'
export { CudaStream } from './stream.js'
export type { TensorMapView } from './tensor-map.js'
