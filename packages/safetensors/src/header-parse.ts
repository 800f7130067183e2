import type { CheckpointError } from '@deepgemm/core'
import type { TensorEntry } from './entry.js'
import { refuse, requireCount } from './errors.js'
import { kind, parseEntry } from './header-entry.js'
import { type JsonObject, JsonProblem, type JsonValue, parseJson } from './json.js'
import { MAX_HEADER_BYTES, MAX_RANK, MAX_TENSORS } from './limits.js'
import { decodeUtf8, quote } from './text.js'

/** Bytes before the header: its length as a little-endian 64-bit number. */
export const PREFIX_BYTES = 8

/** A file's table of contents, checked. */
export type Header = {
  readonly tensors: ReadonlyMap<string, TensorEntry>
  readonly metadata: ReadonlyMap<string, string>
}

/** Four keys per tensor (its name and three fields), three containers; the rest is for metadata. */
const JSON_LIMITS = {
  maxDepth: 3,
  maxKeys: 4 * MAX_TENSORS,
  maxContainers: 3 * MAX_TENSORS,
  maxItems: MAX_RANK,
  naturalNumbers: true,
} as const

/** Reads the 8-byte prefix. `fileBytes` is the length of the whole file. */
export function parseHeaderLength(prefix: Uint8Array, fileBytes: number, path: string): number {
  const subject = `${quote(path)} is not a whole safetensors file`
  if (fileBytes < PREFIX_BYTES) {
    throw refuse(subject, {
      given: `${fileBytes} bytes`,
      allowed: `at least ${PREFIX_BYTES} bytes`,
    })
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES)
  const length = view.getBigUint64(0, true)
  const room = fileBytes - PREFIX_BYTES
  if (length > BigInt(Math.min(room, MAX_HEADER_BYTES))) {
    throw refuse(subject, {
      given: `a header of ${length} bytes`,
      allowed: `at most ${MAX_HEADER_BYTES} bytes, within a file of ${fileBytes} bytes`,
    })
  }
  return Number(length)
}

/**
 * Reads and checks a header. Pure: takes the header's own bytes and the number of data bytes after it.
 *
 * @throws {CheckpointError} and nothing else, whatever the bytes are.
 */
export function parseHeader(bytes: Uint8Array, dataBytes: number, path: string): Header {
  const root = parseRoot(bytes, path)
  const dataStart = PREFIX_BYTES + bytes.byteLength
  const tensors = new Map<string, TensorEntry>()
  let metadata: ReadonlyMap<string, string> = new Map()
  for (const [name, value] of root) {
    if (name === '__metadata__') metadata = parseMetadata(value, path)
    else tensors.set(name, parseEntry(name, value, dataStart, path))
  }
  requireCount(path, 'tensors', tensors.size, MAX_TENSORS)
  checkCoverage(tensors, dataStart, dataBytes, path)
  return { tensors, metadata }
}

function parseRoot(bytes: Uint8Array, path: string): JsonObject {
  const damaged = (given: string, cause?: unknown): CheckpointError =>
    refuse(`the header of ${quote(path)} is not valid`, {
      given,
      allowed: 'one JSON object of tensors, in UTF-8, without duplicate keys',
      ...(cause === undefined ? {} : { cause }),
    })
  if (bytes[0] !== 0x7b) throw damaged('a header that does not begin with "{"')
  const text = decodeUtf8(bytes)
  if (text === undefined) throw damaged('bytes that are not UTF-8')
  try {
    // An object, because it begins with "{".
    return parseJson(text, JSON_LIMITS) as JsonObject
  } catch (cause) {
    if (!(cause instanceof JsonProblem)) throw cause
    throw damaged(`JSON in which ${cause.message}, at character ${cause.offset}`, cause)
  }
}

function parseMetadata(value: JsonValue, path: string): ReadonlyMap<string, string> {
  const subject = `__metadata__ of ${quote(path)}`
  if (!(value instanceof Map)) {
    throw refuse(subject, { given: kind(value), allowed: 'an object of strings' })
  }
  for (const [key, item] of value as JsonObject) {
    if (typeof item !== 'string') {
      throw refuse(subject, { given: `${kind(item)} for ${quote(key)}`, allowed: 'strings only' })
    }
  }
  return value as ReadonlyMap<string, string>
}

/** The tensors must fill the data section without holes or overlaps: no byte unowned, none shared. */
function checkCoverage(
  tensors: ReadonlyMap<string, TensorEntry>,
  dataStart: number,
  dataBytes: number,
  path: string,
): void {
  const inOrder = [...tensors.values()].sort(
    (a, b) => a.fileOffset - b.fileOffset || a.byteLength - b.byteLength,
  )
  let next = dataStart
  for (const { name, fileOffset, byteLength } of inOrder) {
    if (fileOffset !== next) {
      throw refuse(
        `tensor ${quote(name)} of ${quote(path)} ${fileOffset < next ? 'overlaps another' : 'follows a hole'}`,
        {
          given: `a begin of ${fileOffset - dataStart}`,
          allowed: `${next - dataStart}, where the tensor before it ends`,
        },
      )
    }
    next += byteLength
  }
  if (next - dataStart !== dataBytes) {
    const fault = next - dataStart > dataBytes ? 'is truncated' : 'has bytes that no tensor owns'
    throw refuse(`${quote(path)} ${fault}`, {
      given: `${dataBytes} bytes of data`,
      allowed: `${next - dataStart} bytes, as its header says`,
    })
  }
}
