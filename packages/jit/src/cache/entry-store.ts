import { describeError } from '../errno.js'
import type { CacheFs } from './cache-fs.js'
import { type CacheEntry, readEntry, writeEntry } from './entry.js'
import type { CacheListener } from './events.js'
import { type Eviction, type EvictionLimits, evict } from './evict.js'
import { entryPaths } from './layout.js'
import { openRoot, type UsableRoot } from './root.js'
import { isMissing } from './trust.js'

export type EntryStoreOptions = {
  readonly fs: CacheFs
  /** In the order of search. */
  readonly roots: readonly UsableRoot[]
  readonly maxBytes: number
  readonly onEvent: CacheListener
}

/** Finds entries in the roots and publishes new ones in the writable root; tells what goes wrong. */
export class EntryStore {
  readonly fs: CacheFs
  readonly roots: readonly UsableRoot[]
  readonly writable: UsableRoot | undefined
  readonly maxBytes: number
  readonly #onEvent: CacheListener
  #saidUnwritable = false

  constructor({ fs, roots, maxBytes, onEvent }: EntryStoreOptions) {
    this.fs = fs
    this.roots = roots
    this.writable = roots.find((root) => root.writable)
    this.maxBytes = maxBytes
    this.#onEvent = onEvent
  }

  /**
   * The first sound entry of a key. `complained` holds the roots whose entry was already reported
   * as bad, so that looking again is quiet.
   */
  async find(key: string, complained: Set<string> = new Set()): Promise<CacheEntry | undefined> {
    for (const root of this.roots) {
      const read = await readEntry(this.fs, root.folder, key, root.owners)
      if (read.state === 'sound') {
        if (root.writable) await this.#markUsed(root, key)
        this.#onEvent({ type: 'hit', key, root: root.path })
        return read.entry
      }
      if (read.state === 'rejected' && !complained.has(root.path)) {
        complained.add(root.path)
        this.#onEvent({ type: 'entry-rejected', key, root: root.path, reason: read.reason })
      }
    }
    return undefined
  }

  /** Publishes an entry, whose key the caller has locked, and makes room. Never rejects: a disk that refuses is told once. */
  async publish(entry: CacheEntry): Promise<void> {
    const root = this.writable
    if (root === undefined) return
    try {
      if (entry.cubin.length > this.maxBytes) {
        const { length } = entry.cubin
        throw new Error(`a kernel of ${length} bytes exceeds the bound of ${this.maxBytes} bytes`)
      }
      await this.#write(root, entry)
      await this.evict(root, { maxBytes: this.maxBytes })
    } catch (error) {
      if (this.#saidUnwritable) return
      this.#saidUnwritable = true
      this.#onEvent({ type: 'unwritable', root: root.path, reason: describeError(error) })
    }
  }

  async evict(root: UsableRoot, limits: EvictionLimits): Promise<Eviction> {
    const eviction = await evict(this.fs, root.folder, limits)
    for (const { key, bytes } of eviction.evicted) {
      this.#onEvent({ type: 'evicted', key, root: root.path, bytes })
    }
    return eviction
  }

  async #write(root: UsableRoot, entry: CacheEntry): Promise<void> {
    try {
      await writeEntry(this.fs, root.folder, entry)
    } catch (error) {
      // Somebody removed the whole cache while this process runs: make it again, once.
      if (!isMissing(error)) throw error
      const { usable } = await openRoot(this.fs, root.path, true)
      if (usable === undefined) throw error
      await writeEntry(this.fs, root.folder, entry)
    }
  }

  async #markUsed(root: UsableRoot, key: string): Promise<void> {
    const now = new Date()
    // On a read-only disk the order of use is not kept; nothing is evicted there either.
    await this.fs.utimes(entryPaths(root.folder, key).manifest, now, now).catch(() => undefined)
  }
}
