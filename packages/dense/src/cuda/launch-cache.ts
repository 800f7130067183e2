import type { CudaStream, PreparedLaunch } from '@deepgemm/runtime/cuda'
import type { GemmPlacement } from '../backend.js'
import { Memo } from './memo.js'
import { IDENTITY_LENGTH, SHAPE_LENGTH, writeIdentity, writeShape } from './signature.js'

type Entry = { readonly key: Float64Array; readonly launches: readonly PreparedLaunch[] }

/**
 * Launches of earlier runs of several launches: batches, and operands that are brought into the
 * kernels' form first. A run with the same tensors and stream as an earlier one needs no validation
 * and no packing anew.
 */
export class LaunchCache {
  readonly #memo = new Memo<Entry>()
  readonly #key = new Float64Array(SHAPE_LENGTH + IDENTITY_LENGTH)

  /** Enqueues the launches of an equal earlier run; false when there are none, or none any more. */
  replay(placement: GemmPlacement): boolean {
    writeRun(this.#key, placement)
    const entry = this.#memo.find(this.#key)
    return entry !== undefined && runAll(entry.launches, placement.stream as CudaStream)
  }

  store(placement: GemmPlacement, launches: readonly PreparedLaunch[]): void {
    const key = new Float64Array(SHAPE_LENGTH + IDENTITY_LENGTH)
    writeRun(key, placement)
    this.#memo.store({ key, launches })
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
