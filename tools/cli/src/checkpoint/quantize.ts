import {
  type Checkpoint,
  type CheckpointEntry,
  CheckpointError,
  type CheckpointTensorSpec,
  CheckpointWriter,
  type Device,
  fp8WeightSpecs,
  type QuantizedTensor,
  quantize,
  type ScaleDType,
} from 'deepgemm'
import { copyTensor } from './copy-tensor.js'
import { type RowPiece, readPiece, rowPieces } from './rows.js'
import type { WeightSelection } from './selection.js'
import { nonFinite, sourceDType } from './source-dtype.js'

const BLOCK = 128

export type QuantizeJob = {
  readonly device: Device
  readonly checkpoint: Checkpoint
  readonly output: string
  readonly selection: WeightSelection
  readonly scaleDType: ScaleDType
  readonly overwrite: boolean
  readonly maxShardBytes: number | undefined
  readonly signal: AbortSignal
  /** Told the bytes of every piece of input that is done. */
  readonly advance: (bytes: number) => void
  /** Writes the other files of the folder, before the weights make it a checkpoint. */
  readonly writeCompanions: (kept: readonly string[]) => Promise<void>
}

export type QuantizeSummary = {
  readonly quantized: number
  readonly kept: readonly string[]
  readonly bytesBefore: number
  readonly bytesAfter: number
}

/** Streams a checkpoint into FP8: e4m3 values with 128x128 scales beside them. */
export async function quantizeCheckpoint(job: QuantizeJob): Promise<QuantizeSummary> {
  const entries = [...job.checkpoint.tensors.values()]
  const kept = entries.filter((entry) => !job.selection.takes(entry)).map(({ name }) => name)
  if (kept.length === entries.length) throw nothingToDo(job.checkpoint)
  const specs = entries.flatMap((entry) => outputSpecs(entry, job))
  await using writer = await CheckpointWriter.create(job.output, specs, {
    overwrite: job.overwrite,
    ...(job.maxShardBytes === undefined ? {} : { maxShardBytes: job.maxShardBytes }),
  })
  for (const entry of entries) {
    if (job.selection.takes(entry)) await quantizeWeight(job, writer, entry)
    else await copyTensor(job, writer, entry)
  }
  await job.writeCompanions(kept)
  await writer.finish()
  return {
    quantized: entries.length - kept.length,
    kept,
    bytesBefore: job.checkpoint.totalBytes,
    bytesAfter: writer.totalBytes,
  }
}

function outputSpecs(entry: CheckpointEntry, job: QuantizeJob): CheckpointTensorSpec[] {
  const { name, dtype, shape } = entry
  if (!job.selection.takes(entry)) return [{ name, dtype, shape }]
  return [...fp8WeightSpecs(name, shape, job.scaleDType === 'f32' ? 'F32' : 'F8_E8M0')]
}

async function quantizeWeight(
  job: QuantizeJob,
  writer: CheckpointWriter,
  entry: CheckpointEntry,
): Promise<void> {
  for (const piece of rowPieces(entry)) {
    job.signal.throwIfAborted()
    const bytes = await readPiece(job.checkpoint, entry, piece)
    requireFinite(entry, piece, bytes)
    using quantized = await quantizePiece(job, entry, piece, bytes)
    await writer.write(entry.name, await quantized.values.toBytes(), {
      byteOffset: piece.flatRow * piece.columns,
    })
    await writer.write(`${entry.name}_scale_inv`, await quantized.scales.tensor.toBytes(), {
      byteOffset: scaleOffset(entry, piece, job.scaleDType),
    })
    job.advance(bytes.byteLength)
  }
}

async function quantizePiece(
  { device, scaleDType }: QuantizeJob,
  { name, dtype }: CheckpointEntry,
  { rows, columns }: RowPiece,
  bytes: Uint8Array,
): Promise<QuantizedTensor> {
  using source = device.zeros({ dtype: sourceDType(dtype), shape: [rows, columns], label: name })
  await source.storage.write(0, bytes)
  return await quantize(device, source, '128x128', { scaleDType, label: name })
}

/** Where the scales of a piece go within the tensor of scales, in bytes. */
function scaleOffset(
  { shape }: CheckpointEntry,
  { group, row, columns }: RowPiece,
  scaleDType: ScaleDType,
): number {
  const blockRows = Math.ceil((shape.at(-2) as number) / BLOCK)
  const blockRow = group * blockRows + row / BLOCK
  return blockRow * Math.ceil(columns / BLOCK) * (scaleDType === 'f32' ? 4 : 1)
}

function requireFinite(entry: CheckpointEntry, piece: RowPiece, bytes: Uint8Array): void {
  const at = nonFinite(sourceDType(entry.dtype), bytes)
  if (at < 0) return
  const row = piece.row + Math.floor(at / piece.columns)
  throw new CheckpointError(`Weight ${entry.name} cannot be quantised`, {
    given: `NaN or infinity at row ${row}, column ${at % piece.columns}`,
    allowed: 'finite weights',
    remedy: `Repair the checkpoint, or keep this weight as it is with --exclude '${entry.name}'.`,
  })
}

function nothingToDo(checkpoint: Checkpoint): CheckpointError {
  return new CheckpointError('There is nothing to quantise', {
    given: `${checkpoint.path}, without a weight to take`,
    allowed: 'a checkpoint with float matrices called ….weight',
    remedy: 'Name weights that are kept by default with --include.',
  })
}
