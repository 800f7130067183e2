import { createHash } from 'node:crypto'
import { type CanonicalValue, canonicalJson } from './canonical-json.js'
import type { KernelConfig } from './config.js'

/**
 * Version of the key's definition. It is part of every key: a change to what a key covers changes
 * this number and so leaves old entries unused instead of misread.
 */
export const kernelKeyFormat = 1

/** Which compiler made a kernel: its name and its full version. Never where it is installed. */
export type CompilerIdentity = { readonly name: string; readonly version: string }

/** Everything that determines a cubin. */
export type KernelSpec = {
  /** The whole translation unit, self-contained. */
  readonly source: string
  /** Its digest, where that is known already: trusted, and worth a hundred kilobytes of hashing. */
  readonly sourceSha256?: string
  /** The kernel's name in the cubin. */
  readonly entryName: string
  readonly config: KernelConfig
  readonly compiler: CompilerIdentity
  /** In the order in which the compiler sees them. */
  readonly flags: readonly string[]
  /** The GPU architecture, `sm_90a`. */
  readonly target: string
}

/** A KernelSpec with its source replaced by the source's digest: what a manifest remembers. */
export type KernelIdentity = Omit<KernelSpec, 'source' | 'sourceSha256'> & {
  readonly sourceSha256: string
}

/** The SHA-256 of some bytes or of a text's UTF-8 form, in hexadecimal. */
export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

/**
 * The key of a kernel: SHA-256, in hexadecimal, of the canonical JSON of
 * `{ compiler, config, entryName, flags, format, sourceSha256, target }`.
 * Content only: no path, no time, no user. The same inputs have the same key on every machine.
 */
export function kernelKey(spec: KernelSpec): string {
  return identityKey(kernelIdentity(spec))
}

/** The same key from what a manifest remembers, so that an entry can be checked without its source. */
export function identityKey(identity: KernelIdentity): string {
  return sha256(
    canonicalJson({ ...programOf(identity), ...toolingOf(identity), format: kernelKeyFormat }),
  )
}

/**
 * Names the program alone, whichever compiler and flags made it. A machine without a compiler finds
 * a shipped kernel by this, because it cannot know the compiler's identity.
 */
export function programDigest(identity: Omit<KernelIdentity, 'compiler' | 'flags'>): string {
  return sha256(canonicalJson({ ...programOf(identity), format: kernelKeyFormat }))
}

/** Drops the source text, keeps its digest. */
export function kernelIdentity({ source, ...rest }: KernelSpec): KernelIdentity {
  return { ...rest, sourceSha256: rest.sourceSha256 ?? sha256(source) }
}

function programOf(
  identity: Omit<KernelIdentity, 'compiler' | 'flags'>,
): Record<string, CanonicalValue> {
  const { config, entryName, sourceSha256, target } = identity
  return { config, entryName, sourceSha256, target }
}

function toolingOf({ compiler, flags }: KernelIdentity): Record<string, CanonicalValue> {
  return { compiler: { name: compiler.name, version: compiler.version }, flags }
}
