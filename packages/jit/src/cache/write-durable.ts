import { constants } from 'node:fs'
import { dirname, join } from 'node:path'
import type { CacheFs } from './cache-fs.js'
import { temporaryFileName } from './layout.js'
import { currentProcess, nonce } from './process-identity.js'

const createFlags =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0)

/**
 * Puts a whole file in place at once: written to a temporary name beside it, flushed to the disk,
 * renamed. Whoever opens `path` sees the old content or the new, also after a crash.
 */
export async function writeDurable(
  fs: CacheFs,
  path: string,
  parts: Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>,
  mode = 0o600,
): Promise<void> {
  const { host, pid } = currentProcess()
  const temporary = join(dirname(path), temporaryFileName(host, pid, nonce()))
  try {
    const file = await fs.open(temporary, createFlags, mode)
    try {
      for await (const part of parts) await file.writeFile(part)
      await file.sync()
    } finally {
      await file.close()
    }
    await fs.rename(temporary, path)
  } catch (error) {
    await removeIfPresent(fs, temporary)
    throw error
  }
}

/** Flushes a folder's own entries, so that a rename in it survives a power cut. */
export async function syncFolder(fs: CacheFs, path: string): Promise<void> {
  const folder = await fs.open(path, constants.O_RDONLY)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Removes a file if it can be removed; that it is gone or stays is no concern of the caller. */
export async function removeIfPresent(fs: CacheFs, path: string): Promise<void> {
  await fs.unlink(path).catch(() => undefined)
}
