import { type CanonicalValue, canonicalJson, readableCanonicalJson } from '../canonical-json.js'
import { checkConfig, type KernelConfig } from '../config.js'
import {
  type CompilerIdentity,
  identityKey,
  type KernelIdentity,
  kernelKeyFormat,
  sha256,
} from '../kernel-key.js'
import { Untrusted } from './trust.js'

/** What stands beside a cubin: what it was made from, by what, and how to recognise it. */
export type Manifest = KernelIdentity & {
  readonly format: number
  readonly key: string
  readonly cubin: { readonly bytes: number; readonly sha256: string }
  /** When it was compiled, ISO 8601. */
  readonly created: string
}

/** Longest manifest that is read; real ones have about a kilobyte. */
export const maxManifestBytes: number = 256 * 2 ** 10
/** Longest cubin that is read. */
export const maxCubinBytes: number = 256 * 2 ** 20

export function createManifest(identity: KernelIdentity, cubin: Uint8Array, now: Date): Manifest {
  const { sourceSha256, entryName, config, compiler, flags, target } = identity
  return {
    ...{ sourceSha256, entryName, config, compiler, flags, target },
    format: kernelKeyFormat,
    key: identityKey(identity),
    cubin: { bytes: cubin.length, sha256: sha256(cubin) },
    created: now.toISOString(),
  }
}

/** The manifest's file: readable JSON, closed by a seal, the digest of everything else in it. */
export function manifestText(manifest: Manifest): string {
  const body = manifest as unknown as Readonly<Record<string, CanonicalValue>>
  return readableCanonicalJson({ ...body, seal: sha256(canonicalJson(body)) })
}

/**
 * Reads a manifest, or throws Untrusted. Only the exact text that `manifestText` writes is accepted
 * and the key must follow from the rest, so no changed byte goes unnoticed.
 */
export function parseManifest(bytes: Buffer, key: string): Manifest {
  const manifest = asManifest(parseJson(bytes.toString('utf8')))
  if (!Buffer.from(manifestText(manifest)).equals(bytes)) throw new Untrusted('it was altered')
  if (manifest.key !== key) throw new Untrusted(`it belongs to ${manifest.key.slice(0, 12)}`)
  if (identityKey(manifest) !== key) throw new Untrusted('it does not add up to its key')
  return manifest
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Untrusted('it is not JSON')
  }
}

function asManifest(value: unknown): Manifest {
  if (!isRecord(value) || value['format'] !== kernelKeyFormat) throw notAManifest()
  const { key, sourceSha256, entryName, config, compiler, flags, target, cubin, created } = value
  if (!isDigest(key) || !isDigest(sourceSha256) || !isText(entryName)) throw notAManifest()
  if (!isConfig(config) || !isCompiler(compiler) || !isTexts(flags)) throw notAManifest()
  if (!isText(target) || !isText(created) || !isCubinFacts(cubin)) throw notAManifest()
  const facts = { bytes: cubin.bytes, sha256: cubin.sha256 }
  const identity = { sourceSha256, entryName, config, compiler, flags, target }
  return { ...identity, format: kernelKeyFormat, key, cubin: facts, created }
}

function notAManifest(): Untrusted {
  return new Untrusted('it is not a manifest of this version')
}

/** A key, or any other SHA-256 in the form that this package writes. */
export function isDigest(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText)
}

function isCompiler(value: unknown): value is CompilerIdentity {
  return isRecord(value) && isText(value['name']) && isText(value['version'])
}

function isCubinFacts(value: unknown): value is Manifest['cubin'] {
  if (!isRecord(value) || !isDigest(value['sha256'])) return false
  const bytes = value['bytes']
  return (
    typeof bytes === 'number' && Number.isSafeInteger(bytes) && bytes >= 0 && bytes <= maxCubinBytes
  )
}

function isConfig(value: unknown): value is KernelConfig {
  if (!isRecord(value)) return false
  try {
    checkConfig(value as KernelConfig)
    return true
  } catch {
    return false
  }
}
