/** Which bytes a read wants, checked. Pure. */

import { CheckpointError, OptionError, requireInteger, requireKnownOptions } from '@deepgemm/core'
import { safetensorsDTypeBytes } from './dtypes.js'
import type { TensorEntry } from './entry.js'

import { quote, shapeText } from './text.js'

export type TensorReadOptions = {
  /** Buffer to fill from its start; a fresh one otherwise. May be larger than the range. */
  readonly into?: Uint8Array
  /** First byte within the tensor; 0 otherwise. */
  readonly byteOffset?: number
  /** Number of bytes; up to the tensor's end otherwise. */
  readonly byteLength?: number
}

export type TensorChunkOptions = {
  /** Bytes of a piece, rounded down to whole elements; 8 MiB otherwise. */
  readonly chunkBytes?: number
}

export type ByteRange = { readonly byteOffset: number; readonly byteLength: number }

const DEFAULT_CHUNK_BYTES = 8 << 20

/** The range a read covers and the buffer it fills. */
export function target(
  entry: TensorEntry,
  options: TensorReadOptions,
): { readonly byteOffset: number; readonly into: Uint8Array } {
  requireKnownOptions('read', options, ['into', 'byteOffset', 'byteLength'])
  const subject = `read of ${quote(entry.name)}`
  const size = entry.byteLength
  const byteOffset = requireInteger(`${subject}: byteOffset`, options.byteOffset ?? 0, 0, size)
  const room = size - byteOffset
  const byteLength = requireInteger(`${subject}: byteLength`, options.byteLength ?? room, 0, room)
  if (options.into === undefined) return { byteOffset, into: allocate(entry, byteLength) }
  if (!(options.into instanceof Uint8Array) || options.into.byteLength < byteLength) {
    throw new OptionError(`${subject}: into`, {
      given:
        options.into instanceof Uint8Array
          ? `${options.into.byteLength} bytes`
          : typeof options.into,
      allowed: `a Uint8Array of at least ${byteLength} bytes`,
    })
  }
  return { byteOffset, into: options.into.subarray(0, byteLength) }
}

function allocate(entry: TensorEntry, byteLength: number): Uint8Array {
  try {
    return new Uint8Array(byteLength)
  } catch (cause) {
    // A sparse file can be far larger than memory.
    throw new CheckpointError(`no memory for tensor ${quote(entry.name)}`, {
      given: `${byteLength} bytes`,
      allowed: 'what this process can allocate at once',
      remedy: 'Read it piece by piece with `chunks` or `readRows`.',
      cause,
    })
  }
}

/** The bytes of rows `begin` to `end` (excluded) along the first dimension. */
export function rowRange(entry: TensorEntry, begin: number, end: number): ByteRange {
  const [rows] = entry.shape
  if (rows === undefined) {
    throw new OptionError(`rows of ${quote(entry.name)}`, {
      given: `shape ${shapeText(entry.shape)}`,
      allowed: 'a tensor of rank 1 or more',
      remedy: 'Use `read` for a scalar.',
    })
  }
  const last = requireInteger(`rows of ${quote(entry.name)}: end`, end, 0, rows)
  const first = requireInteger(`rows of ${quote(entry.name)}: begin`, begin, 0, last)
  const rowBytes = rows === 0 ? 0 : entry.byteLength / rows
  return { byteOffset: first * rowBytes, byteLength: (last - first) * rowBytes }
}

/** The pieces of a whole tensor, in order. */
export function* chunkRanges(
  entry: TensorEntry,
  options: TensorChunkOptions,
): Generator<ByteRange> {
  requireKnownOptions('chunks', options, ['chunkBytes'])
  const element = safetensorsDTypeBytes(entry.dtype)
  const wanted = requireInteger(
    `chunks of ${quote(entry.name)}: chunkBytes`,
    options.chunkBytes ?? DEFAULT_CHUNK_BYTES,
    element,
    Number.MAX_SAFE_INTEGER,
  )
  const step = wanted - (wanted % element)
  for (let byteOffset = 0; byteOffset < entry.byteLength; byteOffset += step) {
    yield { byteOffset, byteLength: Math.min(step, entry.byteLength - byteOffset) }
  }
}
