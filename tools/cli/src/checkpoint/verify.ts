import { type Checkpoint, pairFp8Weights } from 'deepgemm'
import { compareTensor, type ErrorSums, errorOf, type LayerError } from './compare.js'

export type VerifySummary = {
  readonly layers: readonly LayerError[]
  /** Tensors that only one checkpoint has, or whose shapes differ, each with a sentence. */
  readonly problems: readonly string[]
  /** Of all FP8 weights together, 0 when there are none. */
  readonly totalError: number
  readonly bytes: number
  readonly originalBytes: number
  /** The layer with the largest error; undefined when nothing could be compared. */
  readonly worst: LayerError | undefined
}

const SCALE = /_scale_inv$/

/**
 * Compares every tensor of a checkpoint with the one it was made from.
 *
 * @throws {CheckpointError} when FP8 weights and their scales do not fit together
 */
export async function verifyCheckpoint(
  checkpoint: Checkpoint,
  original: Checkpoint,
  signal: AbortSignal,
  advance: (bytes: number) => void,
): Promise<VerifySummary> {
  // Refuses scales that are missing or of another shape, before one is read.
  for (const each of [checkpoint, original]) pairFp8Weights(each)
  const problems = [
    ...missing(original, checkpoint, 'lacks'),
    ...missing(checkpoint, original, 'has, beyond the original,'),
  ]
  const layers: LayerError[] = []
  for (const { name, shape, byteLength } of original.tensors.values()) {
    signal.throwIfAborted()
    const other = checkpoint.tensors.get(name)
    if (SCALE.test(name) || other === undefined) continue
    if (other.shape.join() === shape.join()) {
      layers.push(await compareTensor(checkpoint, original, name, signal))
    } else {
      problems.push(`${name} has shape [${other.shape}], the original [${shape}]`)
    }
    advance(byteLength)
  }
  const worst = layers.reduce<LayerError | undefined>(larger, undefined)
  const sizes = { bytes: checkpoint.totalBytes, originalBytes: original.totalBytes }
  const totalError = errorOf(fp8Sums(layers))
  return { layers, problems, worst, totalError, ...sizes }
}

function fp8Sums(layers: readonly LayerError[]): ErrorSums {
  const quantized = layers.filter(({ format }) => format.startsWith('e4m3'))
  const add = (from: (sums: ErrorSums) => number): number =>
    quantized.reduce((total, { sums }) => total + from(sums), 0)
  return { xy: add(({ xy }) => xy), squares: add(({ squares }) => squares) }
}

/** NaN counts as larger than any number. */
function larger(a: LayerError | undefined, b: LayerError): LayerError {
  return a === undefined || !(b.error <= a.error) ? b : a
}

function missing(from: Checkpoint, inside: Checkpoint, verb: string): string[] {
  return from.names
    .filter((name) => !SCALE.test(name) && !inside.tensors.has(name))
    .map((name) => `The checkpoint ${verb} ${name}`)
}
