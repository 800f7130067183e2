import { CheckpointError } from '@deepgemm/core'
import { safetensorsDTypeBytes } from './dtypes.js'
import type { TensorEntry, TensorSpec } from './entry.js'
import { PREFIX_BYTES } from './header-parse.js'
import { MAX_HEADER_BYTES } from './limits.js'
import { checkSpecs, metadataPairs, type SafetensorsMetadata, type SizedSpec } from './specs.js'
import { quote } from './text.js'

/** The data section starts at a multiple of this, so that widest-first tensors are aligned in the file. */
const ALIGNMENT = 8

/** The first bytes of a file, and where each tensor's data goes. */
export type PlannedFile = {
  /** Prefix and header, as they stand in the file. */
  readonly head: Uint8Array
  readonly tensors: ReadonlyMap<string, TensorEntry>
  /** Length of the whole file. */
  readonly byteLength: number
}

/**
 * Lays out a file. Pure. Tensors are placed widest element first, otherwise in the order given: every
 * tensor then begins at a multiple of its element size, as readers that map the file expect.
 */
export function planFile(
  specs: Iterable<TensorSpec>,
  metadata: SafetensorsMetadata,
  path: string,
): PlannedFile {
  const checked = checkSpecs(specs, path).sort(
    (a, b) => safetensorsDTypeBytes(b.dtype) - safetensorsDTypeBytes(a.dtype),
  )
  const json = new TextEncoder().encode(headerText(checked, metadataPairs(metadata, path)))
  const padded = Math.ceil(json.byteLength / ALIGNMENT) * ALIGNMENT
  if (padded > MAX_HEADER_BYTES) {
    throw new CheckpointError(`the header of ${quote(path)} is too long`, {
      given: `${padded} bytes`,
      allowed: `at most ${MAX_HEADER_BYTES} bytes`,
      remedy: 'Write fewer tensors into one file.',
    })
  }
  const head = new Uint8Array(PREFIX_BYTES + padded).fill(0x20)
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true)
  head.set(json, PREFIX_BYTES)
  const tensors = new Map<string, TensorEntry>()
  let fileOffset = head.byteLength
  for (const entry of checked) {
    tensors.set(entry.name, Object.freeze({ ...entry, fileOffset }))
    fileOffset += entry.byteLength
  }
  return { head, tensors, byteLength: fileOffset }
}

function headerText(
  entries: readonly SizedSpec[],
  metadata: readonly (readonly [string, string])[],
): string {
  const parts: string[] = []
  // Written pair by pair: collecting them in an object would lose a key named `__proto__`.
  if (metadata.length > 0) {
    const pairs = metadata.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
    parts.push(`"__metadata__":{${pairs.join(',')}}`)
  }
  let begin = 0
  for (const { name, dtype, shape, byteLength } of entries) {
    const end = begin + byteLength
    parts.push(
      `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(',')}],"data_offsets":[${begin},${end}]}`,
    )
    begin = end
  }
  return `{${parts.join(',')}}`
}
