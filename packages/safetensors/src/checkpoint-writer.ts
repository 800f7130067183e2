import { rmdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { CheckpointError, requireInteger, requireKnownOptions } from '@deepgemm/core'
import { checkSpace, writeFileAtomic } from './atomic-file.js'
import type { TensorSpec } from './entry.js'
import { requirePath } from './errors.js'
import { MAX_SHARDS } from './limits.js'
import {
  makeFolder,
  removeEntryPoints,
  removeStaleShards,
  requireNoCheckpoint,
} from './output-folder.js'
import { OutputShard } from './output-shard.js'
import {
  DEFAULT_SHARD_BYTES,
  INDEX_NAME,
  indexText,
  type PlannedShard,
  planShards,
} from './shard-plan.js'
import { checkSpecs, metadataPairs, type SafetensorsMetadata } from './specs.js'
import { quote } from './text.js'
import type { TensorWriteOptions } from './writer.js'

export type CheckpointWriterOptions = {
  /** Most bytes of tensor data in one file; 5 GB otherwise. */
  readonly maxShardBytes?: number
  /** String pairs for the header of every shard; `{ format: 'pt' }` otherwise, as loaders expect. */
  readonly metadata?: SafetensorsMetadata
  /** Replace a checkpoint that is already in the folder; refused otherwise. */
  readonly overwrite?: boolean
}

/**
 * Writes a checkpoint folder: one `model.safetensors`, or shards with an index where there is more than
 * `maxShardBytes`. Other files (config.json, a tokenizer) are the caller's.
 *
 * Nothing in the folder reads as a checkpoint until `finish` has succeeded: shards carry temporary names
 * till then, and the index comes last. A failed write or `abort` removes everything.
 */
export class CheckpointWriter implements AsyncDisposable {
  readonly folder: string
  /** The files this writes, without the index. */
  readonly shardNames: readonly string[]
  /** Bytes of tensor data in all. */
  readonly totalBytes: number
  readonly #plans: readonly PlannedShard[]
  readonly #shards: readonly OutputShard[]
  readonly #byTensor = new Map<string, OutputShard>()
  readonly #overwrite: boolean
  readonly #madeFolder: boolean
  #state: 'open' | 'finishing' | 'finished' | 'aborted' = 'open'

  private constructor(
    folder: string,
    plans: readonly PlannedShard[],
    options: { readonly metadata: SafetensorsMetadata; readonly overwrite: boolean },
    madeFolder: boolean,
  ) {
    this.folder = folder
    this.shardNames = plans.map(({ name }) => name)
    this.#plans = plans
    this.#shards = plans.map((plan) => new OutputShard(folder, plan, options))
    this.#overwrite = options.overwrite
    this.#madeFolder = madeFolder
    for (const shard of this.#shards) {
      for (const { name } of shard.plan.specs) this.#byTensor.set(name, shard)
    }
    this.totalBytes = this.remaining
  }

  /** Makes the folder where it does not exist. */
  static async create(
    folder: string,
    specs: Iterable<TensorSpec>,
    options: CheckpointWriterOptions = {},
  ): Promise<CheckpointWriter> {
    const subject = 'CheckpointWriter.create'
    requireKnownOptions(subject, options, ['maxShardBytes', 'metadata', 'overwrite'])
    requirePath(subject, folder)
    const { maxShardBytes = DEFAULT_SHARD_BYTES, overwrite = false } = options
    const most = requireInteger(
      `${subject}: maxShardBytes`,
      maxShardBytes,
      1,
      Number.MAX_SAFE_INTEGER,
    )
    const plans = planShards(checkSpecs(specs, folder), most)
    if (plans.length > MAX_SHARDS) {
      throw new CheckpointError(`${quote(folder)} would have too many shards`, {
        given: String(plans.length),
        allowed: `at most ${MAX_SHARDS}`,
        remedy: 'Raise maxShardBytes.',
      })
    }
    const metadata = options.metadata ?? { format: 'pt' }
    metadataPairs(metadata, folder)
    const madeFolder = await makeFolder(folder)
    const writer = new CheckpointWriter(folder, plans, { metadata, overwrite }, madeFolder)
    try {
      if (!overwrite) await requireNoCheckpoint(folder)
      await checkSpace(join(folder, INDEX_NAME), writer.totalBytes)
    } catch (error) {
      await writer.abort()
      throw error
    }
    return writer
  }

  /** Bytes of tensor data not written yet. */
  get remaining(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.remaining, 0)
  }

  /** As {@link SafetensorsWriter.write}. A shard's file is begun by its first write. */
  async write(name: string, bytes: Uint8Array, options: TensorWriteOptions = {}): Promise<void> {
    this.#requireOpen()
    const shard = this.#byTensor.get(name)
    if (shard === undefined) {
      throw new CheckpointError(`write of ${quote(String(name))} to ${quote(this.folder)}`, {
        given: 'a name that was not announced',
        allowed: `one of the ${this.#byTensor.size} names given to create`,
      })
    }
    try {
      await shard.write(name, bytes, options)
    } catch (error) {
      // A refused argument leaves the writer usable; a shard that is lost takes the others with it.
      if (shard.lost) await this.abort()
      throw error
    }
  }

  /** Flushes the shards, gives them their names and writes the index. Every byte must be written. */
  async finish(): Promise<void> {
    this.#requireOpen()
    for (const shard of this.#shards) shard.requireWhole()
    this.#state = 'finishing'
    try {
      for (const shard of this.#shards) await shard.seal()
      if (this.#overwrite) await removeEntryPoints(this.folder)
      for (const shard of this.#shards) await shard.publish()
      if (this.#plans.length > 1) {
        const path = join(this.folder, INDEX_NAME)
        await writeFileAtomic(path, indexText(this.#plans), { overwrite: this.#overwrite })
      }
      this.#state = 'finished'
    } catch (error) {
      await this.abort()
      throw error
    }
    if (this.#overwrite) await removeStaleShards(this.folder, this.shardNames)
  }

  /** Removes what was written, and the folder if it was made for this and is empty. Not after `finish`. */
  async abort(): Promise<void> {
    if (this.#state === 'finished' || this.#state === 'aborted') return
    this.#state = 'aborted'
    for (const shard of this.#shards) {
      await shard.abort()
      if (shard.published) await unlink(join(this.folder, shard.plan.name)).catch(() => undefined)
    }
    if (this.#madeFolder) await rmdir(this.folder).catch(() => undefined)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort()
  }

  #requireOpen(): void {
    if (this.#state === 'open') return
    throw new CheckpointError(`the writer of ${quote(this.folder)} is ${this.#state}`, {
      given: 'a call that needs it open',
      allowed: 'any number of write, then one finish or abort',
      remedy: 'Create another writer.',
    })
  }
}
