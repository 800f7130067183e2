export { writeFileAtomic } from './atomic-file.js'
export { Checkpoint, type CheckpointOptions } from './checkpoint.js'
export { CheckpointWriter, type CheckpointWriterOptions } from './checkpoint-writer.js'
export {
  coreDType,
  isSafetensorsDType,
  SAFETENSORS_DTYPES,
  type SafetensorsDType,
  safetensorsDType,
  safetensorsDTypeBytes,
} from './dtypes.js'
export { type TensorEntry, type TensorSpec, tensorByteLength } from './entry.js'
export { SafetensorsFile } from './file.js'
export {
  FP8_BLOCK,
  type Fp8Source,
  type Fp8WeightPair,
  fp8ScaleShape,
  fp8WeightSpecs,
  pairFp8Weights,
} from './fp8-weights.js'
export type { LinkPolicy } from './input-folder.js'
export { fp8QuantizationConfig, type QuantizationConfig } from './quantization.js'
export type { TensorChunkOptions, TensorReadOptions } from './ranges.js'
export type { TensorReader } from './reader.js'
export type { CheckpointEntry, CheckpointShard } from './shards.js'
export type { SafetensorsMetadata } from './specs.js'
export { SafetensorsWriter, type TensorWriteOptions, type WriterOptions } from './writer.js'
