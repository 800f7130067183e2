import { constants, type Stats } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { errnoOf } from '../errno.js'
import type { CacheFs } from './cache-fs.js'
import { attributeProblem, type TrustedOwners, Untrusted } from './trust.js'

// Not through a symbolic link, and without hanging on a pipe that was put in place of a file.
const readFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

export type TrustedFile = { readonly bytes: Buffer; readonly stats: Stats }

/**
 * Reads a whole file after checking, on the open file itself, that it is a regular file of a
 * trusted owner that nobody else can write. Throws Untrusted with the reason, or the system's error.
 */
export async function readTrusted(
  fs: CacheFs,
  path: string,
  owners: TrustedOwners,
  maxBytes: number,
): Promise<TrustedFile> {
  const file = await openNoFollow(fs, path)
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw new Untrusted('it is not a regular file')
    const problem = attributeProblem(stats, owners)
    if (problem !== undefined) throw new Untrusted(problem)
    if (stats.size > maxBytes) {
      throw new Untrusted(`it is ${stats.size} bytes long, more than ${maxBytes}`)
    }
    return { bytes: await readExactly(file, stats.size), stats }
  } finally {
    await file.close()
  }
}

async function openNoFollow(fs: CacheFs, path: string): Promise<FileHandle> {
  try {
    return await fs.open(path, readFlags)
  } catch (error) {
    const code = errnoOf(error)
    if (code === 'ELOOP' || code === 'EMLINK') throw new Untrusted('it is a symbolic link')
    throw error
  }
}

async function readExactly(file: FileHandle, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size)
  let at = 0
  while (at < size) {
    const { bytesRead } = await file.read(bytes, at, size - at, at)
    if (bytesRead === 0) throw new Untrusted('it shrank while it was read')
    at += bytesRead
  }
  return bytes
}
