import { randomUUID } from 'node:crypto'
import type { Stats } from 'node:fs'
import { type FileHandle, lstat, open, rename, statfs, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CheckpointError, requireKnownOptions } from '@deepgemm/core'
import { ioError, requirePath } from './errors.js'
import { writeFully } from './positional.js'
import { quote } from './text.js'

/**
 * A file that appears under its name only when it is whole: written under a temporary name in the same
 * folder, flushed to the disk, then renamed.
 */
export class AtomicFile {
  readonly path: string
  readonly #temporary: string
  readonly #overwrite: boolean
  readonly #handle: FileHandle
  #open = true

  private constructor(path: string, temporary: string, overwrite: boolean, handle: FileHandle) {
    this.path = path
    this.#temporary = temporary
    this.#overwrite = overwrite
    this.#handle = handle
  }

  /** @throws {CheckpointError} when the path is taken, cannot be written, or `byteLength` does not fit. */
  static async create(path: string, byteLength: number, overwrite: boolean): Promise<AtomicFile> {
    await checkFree(path, overwrite)
    await checkSpace(path, byteLength)
    const temporary = join(dirname(path), `.safetensors-${randomUUID()}.tmp`)
    try {
      return new AtomicFile(path, temporary, overwrite, await open(temporary, 'wx'))
    } catch (cause) {
      throw ioError(path, 'write', cause)
    }
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    try {
      await writeFully(this.#handle, bytes, position)
    } catch (cause) {
      throw ioError(this.path, 'write', cause)
    }
  }

  /** Flushes the content to the disk and closes it, still under its temporary name. */
  async seal(): Promise<void> {
    try {
      await this.#handle.sync()
      this.#open = false
      await this.#handle.close()
    } catch (cause) {
      throw ioError(this.path, 'write', cause)
    }
  }

  /** Gives a sealed file its name. */
  async publish(): Promise<void> {
    await checkFree(this.path, this.#overwrite)
    try {
      await rename(this.#temporary, this.path)
    } catch (cause) {
      throw ioError(this.path, 'write', cause)
    }
    await syncFolder(dirname(this.path))
  }

  /** Removes the temporary file. Never throws: it runs while another error is on its way. */
  async abort(): Promise<void> {
    if (this.#open) {
      this.#open = false
      await this.#handle.close().catch(() => undefined)
    }
    await unlink(this.#temporary).catch(() => undefined)
  }
}

/** Writes a small file whole or not at all. */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  options: { readonly overwrite?: boolean } = {},
): Promise<void> {
  requirePath('writeFileAtomic', path)
  requireKnownOptions('writeFileAtomic', options, ['overwrite'])
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
  const file = await AtomicFile.create(path, bytes.byteLength, options.overwrite ?? false)
  try {
    await file.write(bytes, 0)
    await file.seal()
    await file.publish()
  } catch (error) {
    await file.abort()
    throw error
  }
}

async function checkFree(path: string, overwrite: boolean): Promise<void> {
  let stats: Stats
  try {
    stats = await lstat(path)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return
    throw ioError(path, 'write', cause)
  }
  if (stats.isDirectory()) throw ioError(path, 'write', { code: 'EISDIR' })
  if (overwrite) return
  throw new CheckpointError(`will not replace ${quote(path)}`, {
    given: 'a path where something is already',
    allowed: 'a free path, or the option overwrite: true',
    remedy: 'Choose another path, or pass overwrite: true to replace it.',
  })
}

/** Refuses early what cannot fit, instead of after an hour of writing. */
export async function checkSpace(path: string, byteLength: number): Promise<void> {
  // Where the system cannot say (or reports no blocks at all), the writes themselves will.
  const stats = await statfs(dirname(path)).catch(() => undefined)
  if (stats === undefined || stats.blocks === 0) return
  const free = stats.bavail * stats.bsize
  if (byteLength <= free) return
  throw new CheckpointError(`no space for ${quote(path)}`, {
    given: `${byteLength} bytes to write`,
    allowed: `at most ${free} bytes, which are free there`,
    remedy: 'Free space on it, or choose another folder.',
  })
}

/** Makes the rename itself durable. Not every file system can; the content is flushed either way. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}
