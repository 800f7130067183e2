import type { CacheFs } from './cache-fs.js'
import { type Occupant, takeInventory } from './inventory.js'
import { tryLock } from './key-lock.js'
import { entryPaths } from './layout.js'
import { isMissing } from './trust.js'

export type EvictionLimits = {
  /** Total bytes that may stay. */
  readonly maxBytes: number
  /** Entries not used for longer than this go, whatever their size. */
  readonly unusedForMs?: number
}

export type Eviction = {
  readonly evicted: readonly Occupant[]
  readonly keptBytes: number
}

/** Removes the least recently used entries until the rest fits; spares those that are locked. */
export async function evict(
  fs: CacheFs,
  folder: string,
  limits: EvictionLimits,
): Promise<Eviction> {
  const occupants = await tameFuture(fs, folder, await takeInventory(fs, folder))
  let bytes = occupants.reduce((sum, occupant) => sum + occupant.bytes, 0)
  const oldest = Date.now() - (limits.unusedForMs ?? Number.POSITIVE_INFINITY)
  const evicted: Occupant[] = []
  for (const occupant of [...occupants].sort(byLastUse)) {
    const expired = occupant.lastUsed.getTime() < oldest
    if (bytes <= limits.maxBytes && !expired) continue
    if (!(await removeEntry(fs, folder, occupant.key))) continue
    evicted.push(occupant)
    bytes -= occupant.bytes
  }
  return { evicted, keptBytes: bytes }
}

/** Removes an entry, manifest first. False when somebody is compiling or publishing it. */
export async function removeEntry(fs: CacheFs, folder: string, key: string): Promise<boolean> {
  const paths = entryPaths(folder, key)
  const lock = await tryLock(fs, paths.lock)
  if (lock === 'busy') return false
  try {
    await removeFile(fs, paths.manifest)
    await removeFile(fs, paths.cubin)
    return true
  } finally {
    if (lock !== 'unavailable') await lock.release()
  }
}

async function removeFile(fs: CacheFs, path: string): Promise<void> {
  try {
    await fs.unlink(path)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

/**
 * After the clock was moved back, earlier uses lie in the future and would stay "most recent" for
 * as long as the step was. They count as used now, on disk too, so that they age from here.
 */
async function tameFuture(
  fs: CacheFs,
  folder: string,
  occupants: readonly Occupant[],
): Promise<readonly Occupant[]> {
  const now = new Date()
  const tamed: Occupant[] = []
  for (const occupant of occupants) {
    const fromFuture = occupant.lastUsed.getTime() > now.getTime() + 1000
    if (fromFuture) {
      await fs.utimes(entryPaths(folder, occupant.key).manifest, now, now).catch(() => undefined)
    }
    tamed.push(fromFuture ? { ...occupant, lastUsed: now } : occupant)
  }
  return tamed
}

function byLastUse(a: Occupant, b: Occupant): number {
  return a.lastUsed.getTime() - b.lastUsed.getTime() || (a.key < b.key ? -1 : 1)
}
