import { constants } from 'node:fs'
import { errnoOf } from '../errno.js'
import type { CacheFs } from './cache-fs.js'
import { currentProcess, hasEnded, nonce, type ProcessIdentity } from './process-identity.js'
import { removeIfPresent } from './write-durable.js'

// The lock of a key saves work, it does not protect data: entries are published atomically, so two
// holders at worst compile the same kernel twice. That is why every doubtful case below ends in
// "compile" and never in "wait for ever".

const createFlags =
  constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0)
const readFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
const heartbeatMs = 1000
const maxLockBytes = 1024
/** Longest time that a lock may stand without its owner's name. */
const namelessLifetimeMs = 2000
/** A takeover takes microseconds; a guard this old was left by a crash. */
const guardLifetimeMs = 60_000

/** A lock held by this thread. While held, a heartbeat changes the file's times every second. */
export type HeldLock = { readonly release: () => Promise<void> }

/**
 * Takes the lock of a key if nobody has it. 'busy': somebody has it. 'unavailable': this folder
 * cannot hold locks (read-only, full), so there is nothing to wait for.
 */
export async function tryLock(
  fs: CacheFs,
  path: string,
): Promise<HeldLock | 'busy' | 'unavailable'> {
  const content = JSON.stringify({ ...currentProcess(), nonce: nonce() })
  try {
    await createFile(fs, path, content)
  } catch (error) {
    return errnoOf(error) === 'EEXIST' ? 'busy' : 'unavailable'
  }
  const heartbeat = setInterval(() => {
    const now = new Date()
    // A lost lock is noticed on release; a failed beat at worst costs a second compile elsewhere.
    fs.utimes(path, now, now).catch(() => undefined)
  }, heartbeatMs)
  heartbeat.unref()
  return {
    release: async () => {
      clearInterval(heartbeat)
      const held = await readLock(fs, path)
      if (held?.content === content) await removeIfPresent(fs, path)
    },
  }
}

/** A lock file as seen at one moment. `identity` differs for every lock ever taken. */
type SeenLock = {
  readonly content: string
  readonly identity: string
  readonly beat: number
  readonly owner: ProcessIdentity | undefined
}

/**
 * One waiter's view of somebody else's lock. The owner's clock is never compared with ours: a lock
 * is stale when its owner has ended, or when its heartbeat stood still for `staleMs` of our own
 * monotonic time.
 */
export class LockWatch {
  readonly #fs: CacheFs
  readonly #path: string
  readonly #staleMs: number
  #last: { readonly identity: string; readonly beat: number; readonly since: number } | undefined
  #staleSince: number | undefined

  constructor(fs: CacheFs, path: string, staleMs: number) {
    this.#fs = fs
    this.#path = path
    this.#staleMs = staleMs
  }

  /**
   * Looks once, and removes the lock if it is stale. 'gone': worth trying to lock again. 'stuck': a
   * stale lock could not be removed for another `staleMs`, so there is nothing to wait for.
   */
  async clearIfStale(): Promise<'held' | 'gone' | 'stuck'> {
    const seen = await readLock(this.#fs, this.#path)
    if (seen === undefined) return 'gone'
    if (!this.#isStale(seen)) return 'held'
    if (await removeStale(this.#fs, this.#path, seen.identity)) return 'gone'
    this.#staleSince ??= performance.now()
    return performance.now() - this.#staleSince >= this.#staleMs ? 'stuck' : 'held'
  }

  #isStale(seen: SeenLock): boolean {
    if (seen.owner !== undefined && hasEnded(seen.owner)) return true
    const now = performance.now()
    const last = this.#last
    if (last === undefined || last.identity !== seen.identity || last.beat !== seen.beat) {
      this.#last = { identity: seen.identity, beat: seen.beat, since: now }
      return false
    }
    return now - last.since >= this.#lifetimeOf(seen)
  }

  /** A lock gets its owner's name in the same breath as its own; without one, its maker died. */
  #lifetimeOf({ owner }: SeenLock): number {
    return owner === undefined ? Math.min(this.#staleMs, namelessLifetimeMs) : this.#staleMs
  }
}

/** Removes a lock whose owner has certainly ended; leaves every other alone. */
export async function removeDeadLock(fs: CacheFs, path: string): Promise<void> {
  const seen = await readLock(fs, path)
  if (seen?.owner !== undefined && hasEnded(seen.owner)) await removeStale(fs, path, seen.identity)
}

/**
 * Removes the lock that was judged stale, and only that one. Whoever creates the guard file may
 * remove; it looks again first, because another waiter may have been faster and a new owner's lock
 * may stand there now.
 */
async function removeStale(fs: CacheFs, path: string, identity: string): Promise<boolean> {
  const guard = `${path}.takeover`
  try {
    await createFile(fs, guard, JSON.stringify(currentProcess()))
  } catch {
    await removeAbandonedGuard(fs, guard)
    return false
  }
  try {
    const seen = await readLock(fs, path)
    if (seen?.identity === identity) await fs.unlink(path)
    return true
  } catch {
    return false
  } finally {
    await removeIfPresent(fs, guard)
  }
}

async function removeAbandonedGuard(fs: CacheFs, guard: string): Promise<void> {
  const seen = await readLock(fs, guard)
  if (seen === undefined) return
  const ended = seen.owner !== undefined && hasEnded(seen.owner)
  // The absolute difference: a clock that was moved back must not keep a guard alive.
  if (ended || Math.abs(Date.now() - seen.beat) > guardLifetimeMs) await removeIfPresent(fs, guard)
}

async function createFile(fs: CacheFs, path: string, content: string): Promise<void> {
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
async function readLock(fs: CacheFs, path: string): Promise<SeenLock | undefined> {
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
