import type { FileHandle } from 'node:fs/promises'
import { CheckpointError, DisposedError, requireKnownOptions } from '@deepgemm/core'
import type { TensorEntry } from './entry.js'
import { ioError, requirePath } from './errors.js'
import { type Header, PREFIX_BYTES, parseHeader, parseHeaderLength } from './header-parse.js'
import { openRegular } from './open-file.js'
import { readFully } from './positional.js'
import {
  chunkRanges,
  rowRange,
  type TensorChunkOptions,
  type TensorReadOptions,
  target,
} from './ranges.js'
import type { TensorReader } from './reader.js'
import { quote } from './text.js'

/**
 * One safetensors file, open for reading.
 *
 * Only the header is held in memory. Reads are positional: any number may be in flight, in any order,
 * and none blocks the event loop. The whole table of contents is checked before `open` returns.
 */
export class SafetensorsFile implements TensorReader, AsyncDisposable {
  readonly path: string
  /** Length of the whole file. */
  readonly byteLength: number
  /** In the order of the header. */
  readonly tensors: ReadonlyMap<string, TensorEntry>
  /** The header's `__metadata__`; empty when it has none. */
  readonly metadata: ReadonlyMap<string, string>
  readonly #handle: FileHandle
  #closed = false

  private constructor(path: string, handle: FileHandle, byteLength: number, header: Header) {
    this.path = path
    this.byteLength = byteLength
    this.tensors = header.tensors
    this.metadata = header.metadata
    this.#handle = handle
  }

  /** @throws {CheckpointError} when the file cannot be read or breaks a rule of the format. */
  static async open(path: string): Promise<SafetensorsFile> {
    requirePath('SafetensorsFile.open', path)
    const { handle, byteLength } = await openRegular(path)
    try {
      const prefix = new Uint8Array(Math.min(PREFIX_BYTES, byteLength))
      await readFully(handle, prefix, 0, path)
      const bytes = new Uint8Array(parseHeaderLength(prefix, byteLength, path))
      await readFully(handle, bytes, PREFIX_BYTES, path)
      const dataBytes = byteLength - PREFIX_BYTES - bytes.byteLength
      return new SafetensorsFile(path, handle, byteLength, parseHeader(bytes, dataBytes, path))
    } catch (cause) {
      await handle.close()
      throw ioError(path, 'read the header of', cause)
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  entry(name: string): TensorEntry {
    const entry = this.tensors.get(name)
    if (entry !== undefined) return entry
    throw new CheckpointError(`no such tensor in ${quote(this.path)}`, {
      given: quote(String(name)),
      allowed: `one of its ${this.tensors.size} names`,
      remedy: 'List the names with `tensors.keys()`.',
    })
  }

  async read(name: string, options: TensorReadOptions = {}): Promise<Uint8Array> {
    const { byteOffset, into } = target(this.entry(name), options)
    return this.#fill(this.entry(name).fileOffset + byteOffset, into)
  }

  async readRows(
    name: string,
    begin: number,
    end: number,
    options: Pick<TensorReadOptions, 'into'> = {},
  ): Promise<Uint8Array> {
    requireKnownOptions('readRows', options, ['into'])
    return this.read(name, { ...rowRange(this.entry(name), begin, end), ...options })
  }

  async *chunks(
    name: string,
    options: TensorChunkOptions = {},
  ): AsyncGenerator<Uint8Array, void, void> {
    for (const range of chunkRanges(this.entry(name), options)) yield await this.read(name, range)
  }

  /** Waits for reads in flight, then releases the file. Safe to call twice. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#handle.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #fill(position: number, into: Uint8Array): Promise<Uint8Array> {
    if (this.#closed) throw this.#disposed()
    try {
      await readFully(this.#handle, into, position, this.path)
      return into
    } catch (cause) {
      throw this.#closed ? this.#disposed() : ioError(this.path, 'read', cause)
    }
  }

  #disposed(): DisposedError {
    return new DisposedError(`${quote(this.path)} is closed`, {
      given: 'a read after close',
      allowed: 'reads while the file is open',
      remedy: 'Open it again, or close it later.',
    })
  }
}
