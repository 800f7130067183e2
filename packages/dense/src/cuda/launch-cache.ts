import type { CudaStream, PreparedLaunch } from '@deepgemm/runtime/cuda'
import type { GemmPlacement } from '../backend.js'
import {
  IDENTITY_LENGTH,
  SHAPE_LENGTH,
  sameNumbers,
  slotOf,
  writeIdentity,
  writeShape,
} from './signature.js'

/** Runs that a plan remembers: those of a server's layers and buffers, at a few KB each. */
const SLOTS = 64

type Entry = { readonly run: Float64Array; readonly launches: readonly PreparedLaunch[] }

/**
 * Launches of earlier runs of several launches: batches, and operands that are brought into the
 * kernels' form first. A run with the same tensors and stream as an earlier one needs no validation
 * and no packing anew. A slot holds the run that was stored in it last.
 */
export class LaunchCache {
  readonly #entries: (Entry | undefined)[] = new Array(SLOTS).fill(undefined)
  readonly #run = new Float64Array(SHAPE_LENGTH + IDENTITY_LENGTH)

  /** Enqueues the launches of an equal earlier run; false when there are none, or none any more. */
  replay(placement: GemmPlacement): boolean {
    writeRun(this.#run, placement)
    const entry = this.#entries[slotOf(this.#run, SLOTS)]
    if (entry === undefined || !sameNumbers(entry.run, this.#run)) return false
    return runAll(entry.launches, placement.stream as CudaStream)
  }

  store(placement: GemmPlacement, launches: readonly PreparedLaunch[]): void {
    const run = new Float64Array(SHAPE_LENGTH + IDENTITY_LENGTH)
    writeRun(run, placement)
    this.#entries[slotOf(run, SLOTS)] = { run, launches }
  }
}

function writeRun(into: Float64Array, placement: GemmPlacement): void {
  writeShape(into, placement)
  writeIdentity(into.subarray(SHAPE_LENGTH), placement)
}

/** False as soon as a launch finds a buffer disposed. */
export function runAll(launches: readonly PreparedLaunch[], stream: CudaStream): boolean {
  for (const launch of launches) if (!launch.run(stream)) return false
  return true
}
