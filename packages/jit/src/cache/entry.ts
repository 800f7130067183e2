import { sha256 } from '../kernel-key.js'
import type { CacheFs } from './cache-fs.js'
import { entryPaths } from './layout.js'
import {
  type Manifest,
  manifestText,
  maxCubinBytes,
  maxManifestBytes,
  parseManifest,
} from './manifest.js'
import { readTrusted } from './read-trusted.js'
import { isMissing, type TrustedOwners, Untrusted } from './trust.js'
import { syncFolder, writeDurable } from './write-durable.js'

export type CacheEntry = { readonly manifest: Manifest; readonly cubin: Uint8Array }

/** What a root holds under a key. */
export type EntryRead =
  | { readonly state: 'missing' }
  | { readonly state: 'rejected'; readonly reason: string }
  | { readonly state: 'sound'; readonly entry: CacheEntry }

export type ManifestRead =
  | Exclude<EntryRead, { readonly state: 'sound' }>
  | { readonly state: 'sound'; readonly manifest: Manifest; readonly lastUsed: Date }

/** Reads and checks an entry in full; never throws for anything a file can hold. */
export async function readEntry(
  fs: CacheFs,
  folder: string,
  key: string,
  owners: TrustedOwners,
): Promise<EntryRead> {
  // Both at once: the cubin alone is worth nothing, but nearly always there is a manifest too.
  const [read, cubin] = await Promise.all([
    readManifest(fs, folder, key, owners),
    settled(readTrusted(fs, entryPaths(folder, key).cubin, owners, maxCubinBytes)),
  ])
  if (read.state !== 'sound') return read
  const { manifest } = read
  try {
    const { bytes } = cubin()
    checkCubinAgainst(manifest, bytes)
    return { state: 'sound', entry: { manifest, cubin: plainBytes(bytes) } }
  } catch (error) {
    return isMissing(error)
      ? { state: 'rejected', reason: 'its cubin is missing' }
      : { state: 'rejected', reason: `its cubin cannot be used: ${reasonOf(error)}` }
  }
}

/** What a promise comes to, to be thrown or returned later. */
function settled<T>(promise: Promise<T>): Promise<() => T> {
  return promise.then(
    (value) => () => value,
    (error: unknown) => () => {
      throw error
    },
  )
}

/** Reads and checks an entry's manifest alone. */
export async function readManifest(
  fs: CacheFs,
  folder: string,
  key: string,
  owners: TrustedOwners,
): Promise<ManifestRead> {
  try {
    const { bytes, stats } = await readTrusted(
      fs,
      entryPaths(folder, key).manifest,
      owners,
      maxManifestBytes,
    )
    const manifest = parseManifest(bytes, key)
    return { state: 'sound', manifest, lastUsed: stats.mtime }
  } catch (error) {
    if (isMissing(error)) return { state: 'missing' }
    return { state: 'rejected', reason: `its manifest cannot be used: ${reasonOf(error)}` }
  }
}

/**
 * Publishes an entry: the cubin first, the manifest last. A reader in between finds no entry, or an
 * old manifest that does not fit the new cubin, and takes either as a reason to wait and look again.
 */
export async function writeEntry(fs: CacheFs, folder: string, entry: CacheEntry): Promise<void> {
  const paths = entryPaths(folder, entry.manifest.key)
  await writeDurable(fs, paths.cubin, [entry.cubin])
  await writeDurable(fs, paths.manifest, [manifestText(entry.manifest)])
  await syncFolder(fs, folder)
}

/** Throws Untrusted unless these are the bytes that the manifest describes. */
export function checkCubinAgainst(manifest: Manifest, cubin: Uint8Array): void {
  if (cubin.length !== manifest.cubin.bytes) {
    throw new Untrusted(
      `it is ${cubin.length} bytes long, the manifest says ${manifest.cubin.bytes}`,
    )
  }
  if (sha256(cubin) !== manifest.cubin.sha256) {
    throw new Untrusted('its digest is not the one in the manifest')
  }
}

/** The same bytes as a Uint8Array: a Buffer has methods of the same name that copy or do not copy. */
export function plainBytes({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
