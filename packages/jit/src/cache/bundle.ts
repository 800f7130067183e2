import { constants } from 'node:fs'
import { resolve } from 'node:path'
import { CacheError } from '@deepgemm/core'
import { describeError } from '../errno.js'
import { BundleReader, bundlePreamble } from './bundle-file.js'
import type { CacheFs } from './cache-fs.js'
import { type CacheEntry, readEntry, writeEntry } from './entry.js'
import { takeInventory } from './inventory.js'
import { type CacheProblem, reasonFor } from './maintenance.js'
import type { Manifest } from './manifest.js'
import type { UsableRoot } from './root.js'
import { writeDurable } from './write-durable.js'

export type ExportReport = {
  readonly exported: readonly string[]
  readonly bytes: number
  /** Entries left out because they are damaged. */
  readonly skipped: readonly CacheProblem[]
}

export type ImportReport = {
  readonly imported: readonly string[]
  /** Keys that a root already held. */
  readonly alreadyPresent: readonly string[]
}

type Chosen = { readonly root: UsableRoot; readonly manifest: Manifest }

/** Writes every sound entry of the roots into one file. The file appears whole or not at all. */
export async function exportBundle(
  fs: CacheFs,
  roots: readonly UsableRoot[],
  path: string,
): Promise<ExportReport> {
  const { chosen, skipped } = await chooseSound(fs, roots)
  const preamble = bundlePreamble(chosen.map(({ manifest }) => manifest))
  await writeBundle(fs, path, bundleParts(fs, preamble, chosen))
  const bytes = chosen.reduce((sum, { manifest }) => sum + manifest.cubin.bytes, preamble.length)
  return { exported: chosen.map(({ manifest }) => manifest.key), bytes, skipped }
}

async function chooseSound(
  fs: CacheFs,
  roots: readonly UsableRoot[],
): Promise<{ chosen: readonly Chosen[]; skipped: readonly CacheProblem[] }> {
  const chosen = new Map<string, Chosen>()
  const skipped: CacheProblem[] = []
  for (const root of roots) {
    for (const { key } of await takeInventory(fs, root.folder)) {
      if (chosen.has(key)) continue
      const read = await readEntry(fs, root.folder, key, root.owners)
      if (read.state === 'sound') chosen.set(key, { root, manifest: read.entry.manifest })
      else skipped.push({ key, root: root.path, reason: reasonFor(read) })
    }
  }
  return { chosen: [...chosen.values()], skipped }
}

/** One cubin in memory at a time; each is verified again as it is written. */
async function* bundleParts(
  fs: CacheFs,
  preamble: Uint8Array,
  chosen: readonly Chosen[],
): AsyncGenerator<Uint8Array> {
  yield preamble
  for (const { root, manifest } of chosen) {
    const read = await readEntry(fs, root.folder, manifest.key, root.owners)
    const same =
      read.state === 'sound' && read.entry.manifest.cubin.sha256 === manifest.cubin.sha256
    if (!same) throw new Error(`entry ${manifest.key.slice(0, 12)} changed during the export`)
    yield read.entry.cubin
  }
}

/**
 * Publishes the entries of a bundle in a root. The whole bundle is verified first, so a damaged one
 * changes nothing.
 */
export async function importBundle(
  fs: CacheFs,
  into: UsableRoot,
  roots: readonly UsableRoot[],
  path: string,
): Promise<ImportReport> {
  const file = await openBundle(fs, path)
  try {
    const reader = await BundleReader.open(file, path)
    for await (const _ of reader.entries(path));
    const imported: string[] = []
    const alreadyPresent: string[] = []
    for await (const entry of reader.entries(path)) {
      const { key } = entry.manifest
      if (await isPresent(fs, roots, key)) alreadyPresent.push(key)
      else {
        await publish(fs, into, entry)
        imported.push(key)
      }
    }
    return { imported, alreadyPresent }
  } finally {
    await file.close()
  }
}

async function isPresent(fs: CacheFs, roots: readonly UsableRoot[], key: string): Promise<boolean> {
  for (const { folder, owners } of roots) {
    const read = await readEntry(fs, folder, key, owners)
    if (read.state === 'sound') return true
  }
  return false
}

async function publish(fs: CacheFs, into: UsableRoot, entry: CacheEntry): Promise<void> {
  try {
    await writeEntry(fs, into.folder, entry)
  } catch (cause) {
    throw new CacheError('a kernel of the bundle could not be written to the cache', {
      given: `${into.path} (${describeError(cause)})`,
      remedy:
        'Make room or make the directory writable, then import again: what is there stays valid.',
      cause,
    })
  }
}

async function writeBundle(
  fs: CacheFs,
  path: string,
  parts: AsyncIterable<Uint8Array>,
): Promise<void> {
  try {
    await writeDurable(fs, resolve(path), parts, 0o644)
  } catch (cause) {
    throw new CacheError('the kernel bundle could not be written', {
      given: `${path} (${describeError(cause)})`,
      remedy: 'Choose a path in a writable directory with enough room.',
      cause,
    })
  }
}

async function openBundle(fs: CacheFs, path: string): ReturnType<CacheFs['open']> {
  const cannot = (given: string, cause?: unknown): CacheError =>
    new CacheError('the kernel bundle cannot be read', {
      given,
      allowed: 'a file that exportBundle wrote',
      remedy: 'Check the path.',
      cause,
    })
  const file = await fs
    .open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    .catch((cause) => {
      throw cannot(`${path} (${describeError(cause)})`, cause)
    })
  if ((await file.stat()).isFile()) return file
  await file.close()
  throw cannot(`${path} (not a regular file)`)
}
