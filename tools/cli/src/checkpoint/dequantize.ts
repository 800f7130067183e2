import {
  type Checkpoint,
  type CheckpointEntry,
  CheckpointError,
  CheckpointWriter,
  encodeArray,
  pairFp8Weights,
  safetensorsDType,
} from 'deepgemm'
import { copyTensor } from './copy-tensor.js'
import { FloatReader } from './floats.js'
import { rowPieces } from './rows.js'
import type { SourceDType } from './source-dtype.js'

export type DequantizeJob = {
  readonly checkpoint: Checkpoint
  readonly output: string
  readonly dtype: SourceDType
  readonly overwrite: boolean
  readonly signal: AbortSignal
  /** Told the bytes of every piece of input that is done. */
  readonly advance: (bytes: number) => void
  /** Writes the other files of the folder, before the weights make it a checkpoint. */
  readonly writeCompanions: () => Promise<void>
}

export type DequantizeSummary = {
  readonly dequantized: number
  readonly bytesBefore: number
  readonly bytesAfter: number
}

/** Streams an FP8 checkpoint back into floats: value × scale, rounded to the dtype. */
export async function dequantizeCheckpoint(job: DequantizeJob): Promise<DequantizeSummary> {
  const { checkpoint } = job
  const pairs = pairFp8Weights(checkpoint)
  if (pairs.length === 0) throw nothingToDo(checkpoint)
  const weights = new Set(pairs.map(({ name }) => name))
  const scales = new Set(pairs.map(({ scale }) => scale.name))
  const entries = [...checkpoint.tensors.values()].filter(({ name }) => !scales.has(name))
  const specs = entries.map(({ name, dtype, shape }) => ({
    name,
    shape,
    dtype: weights.has(name) ? safetensorsDType(job.dtype) : dtype,
  }))
  await using writer = await CheckpointWriter.create(job.output, specs, {
    overwrite: job.overwrite,
  })
  for (const entry of entries) {
    if (weights.has(entry.name)) await dequantizeWeight(job, writer, entry)
    else await copyTensor(job, writer, entry)
  }
  await job.writeCompanions()
  await writer.finish()
  const sizes = { bytesBefore: checkpoint.totalBytes, bytesAfter: writer.totalBytes }
  return { dequantized: weights.size, ...sizes }
}

async function dequantizeWeight(
  job: DequantizeJob,
  writer: CheckpointWriter,
  entry: CheckpointEntry,
): Promise<void> {
  const reader = await FloatReader.open(job.checkpoint, entry.name)
  for (const piece of rowPieces(entry)) {
    job.signal.throwIfAborted()
    await writer.write(entry.name, encodeArray(job.dtype, await reader.read(piece)))
    job.advance(piece.rows * piece.columns)
  }
}

function nothingToDo(checkpoint: Checkpoint): CheckpointError {
  return new CheckpointError('There is nothing to dequantise', {
    given: `${checkpoint.path}, a checkpoint without FP8 weights`,
    allowed: 'a checkpoint with F8_E4M3 weights and their weight_scale_inv',
  })
}
