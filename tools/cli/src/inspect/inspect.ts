import {
  type Checkpoint,
  type CheckpointEntry,
  pairFp8Weights,
  type SafetensorsDType,
} from 'deepgemm'
import { FloatReader } from '../checkpoint/floats.js'
import { matrixShape, rowPieces } from '../checkpoint/rows.js'
import { type ScaleStats, scaleStatistics } from './scale-stats.js'
import { ValueStatistics, type ValueStats } from './value-stats.js'

/** A tensor of a checkpoint and what its numbers are like. */
export type InspectedTensor = {
  readonly name: string
  readonly dtype: SafetensorsDType
  readonly shape: readonly number[]
  readonly bytes: number
  /** `128x128` for FP8 weights with block scales. */
  readonly recipe: string | undefined
  readonly scales: ScaleStats | undefined
  /** Undefined for what was not read: vectors, integers, and everything when only headers are. */
  readonly values: ValueStats | undefined
}

export type InspectOptions = {
  readonly signal: AbortSignal
  /** Told the bytes of every tensor that is done. */
  readonly advance: (bytes: number) => void
  readonly takes: (entry: CheckpointEntry) => boolean
}

const SCALE = /_scale_inv$/
const FLOATS: readonly string[] = ['F32', 'F16', 'BF16', 'F8_E4M3']

/**
 * Looks at every tensor of a checkpoint, a piece at a time; matrices that `takes` lets through are
 * read.
 *
 * @throws {CheckpointError} when FP8 weights and their scales do not fit together
 */
export async function inspectCheckpoint(
  checkpoint: Checkpoint,
  { signal, advance, takes }: InspectOptions,
): Promise<readonly InspectedTensor[]> {
  const scaled = new Set(pairFp8Weights(checkpoint).map(({ name }) => name))
  const tensors: InspectedTensor[] = []
  for (const entry of checkpoint.tensors.values()) {
    signal.throwIfAborted()
    if (SCALE.test(entry.name)) continue
    const { name, dtype, shape, byteLength } = entry
    const isRead = isMatrix(entry) && takes(entry)
    const recipe = scaled.has(name) ? '128x128' : undefined
    const facts = { name, dtype, shape, bytes: byteLength, recipe }
    const numbers = isRead
      ? await readNumbers(checkpoint, name, signal)
      : { scales: undefined, values: undefined }
    tensors.push({ ...facts, ...numbers })
    advance(byteLength)
  }
  return tensors
}

function isMatrix({ dtype, shape }: CheckpointEntry): boolean {
  return shape.length >= 2 && !shape.includes(0) && FLOATS.includes(dtype)
}

async function readNumbers(
  checkpoint: Checkpoint,
  name: string,
  signal: AbortSignal,
): Promise<Pick<InspectedTensor, 'scales' | 'values'>> {
  const reader = await FloatReader.open(checkpoint, name)
  const statistics = new ValueStatistics(matrixShape(reader.entry.shape))
  for (const piece of rowPieces(reader.entry)) {
    signal.throwIfAborted()
    statistics.add(await reader.read(piece), piece.group, piece.row)
  }
  const scales =
    reader.scales === undefined
      ? undefined
      : scaleStatistics(checkpoint.entry(`${name}_scale_inv`).dtype, reader.scales)
  return { scales, values: statistics.finish() }
}

/** Tensors, elements and bytes of one format. */
export type FormatTotal = {
  readonly format: string
  readonly tensors: number
  readonly bytes: number
}

/** What a checkpoint is made of, the largest part first. */
export function formatTotals(tensors: readonly InspectedTensor[]): readonly FormatTotal[] {
  const totals = new Map<string, FormatTotal>()
  for (const { dtype, recipe, bytes } of tensors) {
    const format = recipe === undefined ? dtype : `${dtype} ${recipe}`
    const known = totals.get(format) ?? { format, tensors: 0, bytes: 0 }
    totals.set(format, { format, tensors: known.tensors + 1, bytes: known.bytes + bytes })
  }
  return [...totals.values()].sort((a, b) => b.bytes - a.bytes)
}
