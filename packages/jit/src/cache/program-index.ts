import { programDigest } from '../kernel-key.js'
import type { CacheFs } from './cache-fs.js'
import { readManifest } from './entry.js'
import { takeInventory } from './inventory.js'
import type { UsableRoot } from './root.js'

/**
 * Finds entries by program instead of by key: for a machine without a compiler, which cannot know
 * the compiler's identity and so cannot form the key. Reads all manifests once, and again only when
 * asked for a program that was not there.
 */
export class ProgramIndex {
  readonly #fs: CacheFs
  readonly #roots: readonly UsableRoot[]
  #keys: Promise<ReadonlyMap<string, string>> | undefined

  constructor(fs: CacheFs, roots: readonly UsableRoot[]) {
    this.#fs = fs
    this.#roots = roots
  }

  /** The key of the most recently compiled entry of a program. */
  async keyOf(program: string): Promise<string | undefined> {
    const known = this.#keys !== undefined
    const key = (await this.#index()).get(program)
    if (key !== undefined || !known) return key
    this.#keys = undefined
    return (await this.#index()).get(program)
  }

  #index(): Promise<ReadonlyMap<string, string>> {
    this.#keys ??= this.#read()
    return this.#keys
  }

  async #read(): Promise<ReadonlyMap<string, string>> {
    const newest = new Map<string, { readonly key: string; readonly created: string }>()
    for (const { folder, owners } of this.#roots) {
      for (const { key } of await takeInventory(this.#fs, folder)) {
        const read = await readManifest(this.#fs, folder, key, owners)
        if (read.state !== 'sound') continue
        const program = programDigest(read.manifest)
        const { created } = read.manifest
        const before = newest.get(program)
        if (before === undefined || before.created < created) newest.set(program, { key, created })
      }
    }
    return new Map([...newest].map(([program, { key }]) => [program, key]))
  }
}
