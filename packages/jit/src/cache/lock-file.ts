import { constants } from 'node:fs'
import { errnoOf } from '../errno.js'
import type { CacheFs } from './cache-fs.js'
import type { ProcessIdentity } from './process-identity.js'
import { removeIfPresent } from './write-durable.js'

const createFlags =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0)
const readFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
const maxLockBytes = 1024

/** A lock file as seen at one moment. `identity` differs for every lock ever taken. */
export type SeenLock = {
  readonly content: string
  readonly identity: string
  readonly beat: number
  readonly owner: ProcessIdentity | undefined
}

/** Creates a lock file, or rejects with EEXIST when there is one. */
export async function createLockFile(fs: CacheFs, path: string, content: string): Promise<void> {
  const file = await fs.open(path, createFlags, 0o600)
  try {
    await file.writeFile(content)
  } catch (error) {
    await removeIfPresent(fs, path)
    throw error
  } finally {
    await file.close()
  }
}

/** Undefined when there is no lock. One that cannot be read still counts, without an owner. */
export async function readLockFile(fs: CacheFs, path: string): Promise<SeenLock | undefined> {
  try {
    const stats = await fs.lstat(path)
    const content = stats.isFile() ? await readStart(fs, path) : ''
    const identity = `${stats.ino}:${content}`
    return { content, identity, beat: stats.mtimeMs, owner: parseOwner(content) }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    return { content: '', identity: 'unreadable', beat: 0, owner: undefined }
  }
}

async function readStart(fs: CacheFs, path: string): Promise<string> {
  const file = await fs.open(path, readFlags)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxLockBytes), 0, maxLockBytes, 0)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}

/** Undefined for a lock whose owner died before it wrote its name, and for anything else unreadable. */
function parseOwner(content: string): ProcessIdentity | undefined {
  try {
    const value = JSON.parse(content) as Partial<ProcessIdentity> | null
    if (value === null || typeof value.host !== 'string') return undefined
    if (typeof value.started !== 'string') return undefined
    if (!Number.isSafeInteger(value.pid) || (value.pid ?? 0) <= 0) return undefined
    return { host: value.host, pid: value.pid as number, started: value.started }
  } catch {
    return undefined
  }
}
