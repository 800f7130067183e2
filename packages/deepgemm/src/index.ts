/** One import for everything a user of the library needs. */
export * from '@deepgemm/core'
export * from '@deepgemm/dense'
export * from '@deepgemm/moe'
export * from '@deepgemm/quant'
export {
  type CpuOptions,
  Device,
  type DeviceEvent,
  type DeviceInfo,
  type HostArray,
  type MemoryReport,
  type OpenOptions,
  type Stream,
  type TensorSpec,
} from '@deepgemm/runtime'
// `TensorSpec` above is the runtime's.
export type { TensorSpec as CheckpointTensorSpec } from '@deepgemm/safetensors'
export * from '@deepgemm/safetensors'
