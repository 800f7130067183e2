import type { CacheFs } from './cache-fs.js'
import { createLockFile, readLockFile, type SeenLock } from './lock-file.js'
import { currentProcess, hasEnded } from './process-identity.js'
import { removeIfPresent } from './write-durable.js'

/** Longest time between a waiter's full inspections of a lock. */
const longestInspectionMs = 500
/** Longest time that a lock may stand without its owner's name. */
const namelessLifetimeMs = 2000
/** A takeover takes microseconds; a guard this old was left by a crash. */
const guardLifetimeMs = 60_000

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
  #inspected: { readonly inode: number; readonly at: number } | undefined
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
    if (await this.#wasJustInspected()) return 'held'
    const seen = await readLockFile(this.#fs, this.#path)
    if (seen === undefined) return 'gone'
    if (!this.#isStale(seen)) return 'held'
    if (await removeStale(this.#fs, this.#path, seen.identity)) return 'gone'
    this.#staleSince ??= performance.now()
    return performance.now() - this.#staleSince >= this.#staleMs ? 'stuck' : 'held'
  }

  /** Waiters look often and owners rarely die: between full inspections one system call is enough. */
  async #wasJustInspected(): Promise<boolean> {
    const inode = await this.#fs.lstat(this.#path).then(
      (stats) => stats.ino,
      () => undefined,
    )
    if (inode === undefined) return false
    const now = performance.now()
    const interval = Math.min(longestInspectionMs, this.#staleMs / 4)
    if (inode === this.#inspected?.inode && now - this.#inspected.at < interval) return true
    this.#inspected = { inode, at: now }
    return false
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
  const seen = await readLockFile(fs, path)
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
    await createLockFile(fs, guard, JSON.stringify(currentProcess()))
  } catch {
    await removeAbandonedGuard(fs, guard)
    return false
  }
  try {
    const seen = await readLockFile(fs, path)
    if (seen?.identity === identity) await fs.unlink(path)
    return true
  } catch {
    return false
  } finally {
    await removeIfPresent(fs, guard)
  }
}

async function removeAbandonedGuard(fs: CacheFs, guard: string): Promise<void> {
  const seen = await readLockFile(fs, guard)
  if (seen === undefined) return
  const ended = seen.owner !== undefined && hasEnded(seen.owner)
  // The absolute difference: a clock that was moved back must not keep a guard alive.
  if (ended || Math.abs(Date.now() - seen.beat) > guardLifetimeMs) await removeIfPresent(fs, guard)
}
