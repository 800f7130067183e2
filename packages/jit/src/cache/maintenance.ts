import type { CacheFs } from './cache-fs.js'
import { type EntryRead, type ManifestRead, readEntry, readManifest } from './entry.js'
import { removeEntry } from './evict.js'
import { takeInventory } from './inventory.js'
import type { Manifest } from './manifest.js'
import type { UsableRoot } from './root.js'

/** One line of `list()`. */
export type CacheListing = {
  readonly key: string
  readonly root: string
  readonly writable: boolean
  readonly bytes: number
  readonly lastUsed: Date
  /** Undefined when it cannot be read; then `problem` says why. */
  readonly manifest: Manifest | undefined
  readonly problem: string | undefined
}

export type CacheProblem = { readonly key: string; readonly root: string; readonly reason: string }

export type VerifyReport = {
  readonly checked: number
  readonly bytes: number
  readonly problems: readonly CacheProblem[]
  /** Keys of the bad entries that were removed. */
  readonly removed: readonly string[]
}

/** The entries of the roots, by their manifests; cubins are not read. */
export async function listEntries(
  fs: CacheFs,
  roots: readonly UsableRoot[],
): Promise<readonly CacheListing[]> {
  const listings: CacheListing[] = []
  for (const { path, folder, owners, writable } of roots) {
    for (const { key, bytes, lastUsed } of await takeInventory(fs, folder)) {
      const read = await readManifest(fs, folder, key, owners)
      listings.push({
        ...{ key, root: path, writable, bytes, lastUsed },
        manifest: read.state === 'sound' ? read.manifest : undefined,
        problem: problemOf(read),
      })
    }
  }
  return listings
}

/** Reads every entry in full, and removes the bad ones of the writable root if asked to. */
export async function verifyEntries(
  fs: CacheFs,
  roots: readonly UsableRoot[],
  remove: boolean,
): Promise<VerifyReport> {
  const problems: CacheProblem[] = []
  const removed: string[] = []
  let checked = 0
  let bytes = 0
  for (const { path, folder, owners, writable } of roots) {
    for (const occupant of await takeInventory(fs, folder)) {
      checked += 1
      bytes += occupant.bytes
      const reason = problemOf(await readEntry(fs, folder, occupant.key, owners))
      if (reason === undefined) continue
      problems.push({ key: occupant.key, root: path, reason })
      if (remove && writable && (await removeEntry(fs, folder, occupant.key))) {
        removed.push(occupant.key)
      }
    }
  }
  return { checked, bytes, problems, removed }
}

function problemOf(read: ManifestRead | EntryRead): string | undefined {
  return read.state === 'sound' ? undefined : reasonFor(read)
}

/** Why an entry that has files is not usable. */
export function reasonFor(read: Exclude<EntryRead, { readonly state: 'sound' }>): string {
  return read.state === 'rejected' ? read.reason : 'its manifest is missing'
}
