import { CacheError, requireInteger, requireKnownOptions } from '@deepgemm/core'
import { type KernelSpec, kernelIdentity, kernelKey } from '../kernel-key.js'
import { type ExportReport, exportBundle, type ImportReport, importBundle } from './bundle.js'
import { type CacheFs, systemFs } from './cache-fs.js'
import { type Admission, findOrMake } from './compile-once.js'
import { type CacheEntry, plainBytes } from './entry.js'
import { EntryStore } from './entry-store.js'
import { type CacheListener, warnAboutTrouble } from './events.js'
import type { Eviction } from './evict.js'
import { entryPaths } from './layout.js'
import { type CacheListing, listEntries, type VerifyReport, verifyEntries } from './maintenance.js'
import { createManifest } from './manifest.js'
import { ProgramIndex } from './program-index.js'
import { type CacheRoot, openRoot, type UsableRoot } from './root.js'
import { type CacheRoots, maxBytesFrom, resolveRoots } from './settings.js'
import { SingleFlight } from './single-flight.js'
import { sweep } from './sweep.js'

export type KernelCacheOptions = {
  readonly roots?: CacheRoots
  /** Bound of the writable root; default DEEPGEMM_CACHE_MAX_BYTES, else 512 MiB. */
  readonly maxBytes?: number
  /** Default: Node's warnings, for what a person should know. */
  readonly onEvent?: CacheListener
  /** Default `process.env`. */
  readonly env?: NodeJS.ProcessEnv
  /** Another's lock without a heartbeat for this long is taken over; default 15,000. */
  readonly staleLockMs?: number
  /** The file system calls to use; for tests that make them fail. */
  readonly fs?: CacheFs
}

const optionNames = ['roots', 'maxBytes', 'onEvent', 'env', 'staleLockMs', 'fs']

/** A kernel's entry and how this process came by it. */
export type CachedKernel = CacheEntry & { readonly origin: 'cache' | 'compiled' }

type Internals = {
  readonly store: EntryStore
  readonly roots: readonly CacheRoot[]
  readonly onEvent: CacheListener
  readonly staleLockMs: number
}

/**
 * Compiled kernels on disk. Entries are found by content, verified when they are loaded and
 * published at once; nothing that happens to the disk keeps a kernel from being returned.
 */
export class KernelCache {
  /** Every root asked for, the writable one last, with the reason if it is not used. */
  readonly roots: readonly CacheRoot[]
  readonly #store: EntryStore
  readonly #onEvent: CacheListener
  readonly #staleLockMs: number
  readonly #programs: ProgramIndex
  readonly #flights = new SingleFlight<CachedKernel>()

  private constructor({ store, roots, onEvent, staleLockMs }: Internals) {
    this.roots = roots
    this.#store = store
    this.#onEvent = onEvent
    this.#staleLockMs = staleLockMs
    this.#programs = new ProgramIndex(store.fs, store.roots)
  }

  /** Opens the roots. A root that cannot be trusted or used is left out and told as an event. */
  static async open(options: KernelCacheOptions = {}): Promise<KernelCache> {
    requireKnownOptions('KernelCache.open', options, optionNames)
    requireKnownOptions('roots', options.roots ?? {}, ['readOnly', 'writable'])
    const { fs = systemFs, env = process.env, onEvent = warnAboutTrouble } = options
    const { readOnly, writable } = resolveRoots(options.roots ?? {}, env)
    const maxBytes = requireInteger('maxBytes', options.maxBytes ?? maxBytesFrom(env), 0)
    const staleLockMs = requireInteger('staleLockMs', options.staleLockMs ?? 15_000, 1)
    const opened = await Promise.all([
      ...readOnly.map((path) => openRoot(fs, path, false)),
      ...(writable === false ? [] : [openRoot(fs, writable, true)]),
    ])
    const roots = opened.map(({ root }) => root)
    const usable = opened.flatMap((each) => each.usable ?? [])
    for (const { path, problem } of roots) {
      if (problem !== undefined) onEvent({ type: 'root-refused', root: path, reason: problem })
    }
    const store = new EntryStore({ fs, roots: usable, maxBytes, onEvent })
    if (store.writable !== undefined) await sweep(fs, store.writable.folder)
    return new KernelCache({ store, roots, onEvent, staleLockMs })
  }

  /** Where new entries go; undefined when they are not kept. */
  get path(): string | undefined {
    return this.#store.writable?.path
  }

  /** Bound of the writable root. */
  get maxBytes(): number {
    return this.#store.maxBytes
  }

  /** The sound entry of a key, or undefined. */
  get(key: string): Promise<CacheEntry | undefined> {
    return this.#store.find(key)
  }

  /**
   * The entry of a program whichever compiler and flags made it, or undefined: what a machine
   * without a compiler can still load.
   */
  async getProgram(program: string): Promise<CacheEntry | undefined> {
    const key = await this.#programs.keyOf(program)
    return key === undefined ? undefined : this.get(key)
  }

  /**
   * The entry of a kernel, compiled if no root has it. However many threads and processes ask at
   * once, one compiles. Rejects only with what `compile` rejects with.
   */
  getOrCompile(
    spec: KernelSpec,
    compile: () => Promise<Uint8Array>,
    admit: Admission = admitAll,
  ): Promise<CachedKernel> {
    const key = kernelKey(spec)
    return this.#flights.do(key, () => this.#findOrCompile(key, spec, compile, admit))
  }

  /** The entries of all roots, by their manifests. */
  list(): Promise<readonly CacheListing[]> {
    return listEntries(this.#store.fs, this.#store.roots)
  }

  /** Reads every entry in full. `remove`: bad ones of the writable root are removed. */
  verify(options: { readonly remove?: boolean } = {}): Promise<VerifyReport> {
    requireKnownOptions('verify', options, ['remove'])
    return verifyEntries(this.#store.fs, this.#store.roots, options.remove ?? false)
  }

  /** Removes what crashes left behind, entries not used for `unusedForMs`, and what exceeds `maxBytes`. */
  async prune(
    options: { readonly maxBytes?: number; readonly unusedForMs?: number } = {},
  ): Promise<Eviction> {
    requireKnownOptions('prune', options, ['maxBytes', 'unusedForMs'])
    const maxBytes = requireInteger('maxBytes', options.maxBytes ?? this.maxBytes, 0)
    const root = this.#requireWritable('prune')
    await sweep(this.#store.fs, root.folder)
    return this.#store.evict(root, { ...options, maxBytes })
  }

  /** Writes every sound entry of all roots into one file, for machines without a compiler. */
  exportBundle(path: string): Promise<ExportReport> {
    return exportBundle(this.#store.fs, this.#store.roots, path)
  }

  /** Verifies a bundle as a whole, then publishes what no root has yet in the writable root. */
  async importBundle(path: string): Promise<ImportReport> {
    const into = this.#requireWritable('import a bundle')
    return importBundle(this.#store.fs, into, this.#store.roots, path)
  }

  async #findOrCompile(
    key: string,
    spec: KernelSpec,
    compile: () => Promise<Uint8Array>,
    admit: Admission,
  ): Promise<CachedKernel> {
    const complained = new Set<string>()
    const find = async (): Promise<CachedKernel | undefined> => {
      const entry = await this.#store.find(key, complained)
      return entry === undefined ? undefined : { ...entry, origin: 'cache' }
    }
    const make = (): Promise<CachedKernel> => this.#compile(spec, compile)
    const { fs, writable } = this.#store
    if (writable === undefined) return (await find()) ?? (await admitted(admit, make))
    const onWait = (): void => this.#onEvent({ type: 'waiting', key })
    const lock = { path: entryPaths(writable.folder, key).lock, staleMs: this.#staleLockMs }
    return findOrMake(fs, lock, { find, make, admit, onWait })
  }

  async #compile(spec: KernelSpec, compile: () => Promise<Uint8Array>): Promise<CachedKernel> {
    const started = performance.now()
    const cubin = plainBytes(await compile())
    const milliseconds = performance.now() - started
    const manifest = createManifest(kernelIdentity(spec), cubin, new Date())
    this.#onEvent({ type: 'compiled', key: manifest.key, milliseconds })
    await this.#store.publish({ manifest, cubin })
    return { manifest, cubin, origin: 'compiled' }
  }

  #requireWritable(what: string): UsableRoot {
    const { writable } = this.#store
    if (writable !== undefined) return writable
    const refused = this.roots.find((root) => root.writable)
    throw new CacheError(`the kernel cache cannot ${what}: it has no writable root`, {
      given: refused === undefined ? 'writable: false' : `${refused.path} (${refused.problem})`,
      allowed: 'a directory that belongs to this user alone',
      remedy: 'Set DEEPGEMM_CACHE_DIR to such a directory.',
    })
  }
}

async function admitAll(): Promise<() => void> {
  return () => undefined
}

async function admitted<T>(admit: Admission, work: () => Promise<T>): Promise<T> {
  const leave = await admit()
  try {
    return await work()
  } finally {
    leave()
  }
}
