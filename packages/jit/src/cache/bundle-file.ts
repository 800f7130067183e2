import type { FileHandle } from 'node:fs/promises'
import { CacheError } from '@deepgemm/core'
import { describeError } from '../errno.js'
import { type CacheEntry, checkCubinAgainst } from './entry.js'
import { isDigest, type Manifest, manifestText, parseManifest } from './manifest.js'

// A bundle is one file:
//   "deepgemm-bundle 1 <bytes of the index>\n"
//   the index: a JSON array of [key, manifest file text], in the order of the cubins
//   the cubins, one after the other, each as long as its manifest says
// and nothing after them.

const magic = 'deepgemm-bundle 1 '
const maxHeaderBytes = 64
const maxIndexBytes = 256 * 2 ** 20
const maxEntries = 100_000

type Item = { readonly manifest: Manifest; readonly offset: number }

/** The text that stands before the cubins of these entries. */
export function bundlePreamble(manifests: readonly Manifest[]): Buffer {
  const index = JSON.stringify(manifests.map((manifest) => [manifest.key, manifestText(manifest)]))
  const body = Buffer.from(index)
  return Buffer.concat([Buffer.from(`${magic}${body.length}\n`), body])
}

/** An opened bundle. Every entry is verified when it is read. */
export class BundleReader {
  readonly #file: FileHandle
  readonly #items: readonly Item[]

  private constructor(file: FileHandle, items: readonly Item[]) {
    this.#file = file
    this.#items = items
  }

  static async open(file: FileHandle, path: string): Promise<BundleReader> {
    const { size } = await file.stat()
    const header = await headerOf(file, size, path)
    const index = await readAt(file, header.length, header.indexBytes, path)
    const items = placeItems(parseIndex(index, path), header.length + header.indexBytes)
    const last = items.at(-1)
    const end = last === undefined ? header.length + header.indexBytes : endOf(last)
    if (end !== size) throw damaged(path, `it is ${size} bytes long, its index says ${end}`)
    return new BundleReader(file, items)
  }

  /** The entries one by one; throws a CacheError at the first that is not what its manifest says. */
  async *entries(path: string): AsyncGenerator<CacheEntry> {
    for (const { manifest, offset } of this.#items) {
      const cubin = await readAt(this.#file, offset, manifest.cubin.bytes, path)
      try {
        checkCubinAgainst(manifest, cubin)
      } catch (error) {
        throw damaged(path, `the cubin of ${manifest.key.slice(0, 12)}: ${describeError(error)}`)
      }
      yield { manifest, cubin }
    }
  }
}

async function headerOf(
  file: FileHandle,
  size: number,
  path: string,
): Promise<{ length: number; indexBytes: number }> {
  const start = await readAt(file, 0, Math.min(size, maxHeaderBytes), path)
  const match = /^deepgemm-bundle 1 ([1-9]\d{0,9})\n/.exec(start.toString('latin1'))
  if (match === null) throw damaged(path, 'it does not begin as a bundle of this version')
  const indexBytes = Number(match[1])
  const length = match[0].length
  if (indexBytes > Math.min(maxIndexBytes, size - length)) {
    throw damaged(path, `its index would have ${indexBytes} bytes`)
  }
  return { length, indexBytes }
}

function parseIndex(index: Buffer, path: string): readonly Manifest[] {
  const rows = parseJson(index, path)
  if (!Array.isArray(rows) || rows.length > maxEntries) throw damaged(path, 'its index is no list')
  const seen = new Set<string>()
  return rows.map((row: unknown) => {
    const [key, text] = Array.isArray(row) && row.length === 2 ? (row as unknown[]) : []
    if (!isDigest(key) || typeof text !== 'string') throw damaged(path, 'its index is malformed')
    if (seen.has(key)) throw damaged(path, `it holds ${key.slice(0, 12)} twice`)
    seen.add(key)
    try {
      return parseManifest(Buffer.from(text), key)
    } catch (error) {
      throw damaged(path, `the manifest of ${key.slice(0, 12)}: ${describeError(error)}`)
    }
  })
}

function parseJson(bytes: Buffer, path: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    throw damaged(path, 'its index is not JSON')
  }
}

function placeItems(manifests: readonly Manifest[], start: number): readonly Item[] {
  let offset = start
  return manifests.map((manifest) => {
    const item = { manifest, offset }
    offset += manifest.cubin.bytes
    return item
  })
}

function endOf({ manifest, offset }: Item): number {
  return offset + manifest.cubin.bytes
}

async function readAt(file: FileHandle, at: number, length: number, path: string): Promise<Buffer> {
  const { size } = await file.stat()
  if (at + length > size) throw damaged(path, 'it ends too early')
  const bytes = Buffer.alloc(length)
  let done = 0
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, at + done)
    if (bytesRead === 0) throw damaged(path, 'it ends too early')
    done += bytesRead
  }
  return bytes
}

function damaged(path: string, reason: string): CacheError {
  return new CacheError('the kernel bundle is damaged', {
    given: `${path}: ${reason}`,
    allowed: 'a file that exportBundle wrote, unchanged',
    remedy: 'Copy the bundle again, or export it anew. Nothing of it was imported.',
  })
}
