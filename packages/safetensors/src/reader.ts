import type { TensorEntry } from './entry.js'
import type { TensorChunkOptions, TensorReadOptions } from './ranges.js'

/** What one file and a checkpoint of many have in common. */
export interface TensorReader {
  readonly tensors: ReadonlyMap<string, TensorEntry>
  /** @throws {CheckpointError} when there is no tensor of that name. */
  entry(name: string): TensorEntry
  /** Bytes of a tensor or of a range of it, into the caller's buffer when one is given. */
  read(name: string, options?: TensorReadOptions): Promise<Uint8Array>
  /** Rows `begin` to `end` (excluded) along the first dimension. */
  readRows(
    name: string,
    begin: number,
    end: number,
    options?: Pick<TensorReadOptions, 'into'>,
  ): Promise<Uint8Array>
  /** A tensor piece by piece, each piece whole elements; memory use is one piece. */
  chunks(name: string, options?: TensorChunkOptions): AsyncGenerator<Uint8Array, void, void>
}
