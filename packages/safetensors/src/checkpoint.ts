import { CheckpointError, requireKnownOptions, requireOneOf } from '@deepgemm/core'
import { requirePath } from './errors.js'
import type { SafetensorsFile } from './file.js'
import { parseIndex, parseObject } from './index-file.js'
import { InputFolder, type LinkPolicy } from './input-folder.js'
import { type JsonObject, toPlain } from './json.js'
import { MAX_CONFIG_BYTES, MAX_INDEX_BYTES } from './limits.js'
import { readText } from './open-file.js'
import { parseQuantization, type QuantizationConfig } from './quantization.js'
import type { TensorChunkOptions, TensorReadOptions } from './ranges.js'
import type { TensorReader } from './reader.js'
import { INDEX_NAME } from './shard-plan.js'
import {
  type CheckpointEntry,
  type CheckpointShard,
  checkIndex,
  gather,
  openShards,
} from './shards.js'
import { quote } from './text.js'

export type CheckpointOptions = {
  /**
   * `inside` (default): files that are links out of the folder are refused, except into the `blobs` of
   * the Hugging Face cache that the folder is a snapshot of. `anywhere`: links are followed.
   */
  readonly links?: LinkPolicy
}

const CONFIG_LIMITS = { maxDepth: 32, maxKeys: 100_000, maxContainers: 100_000, maxItems: 100_000 }
const CONFIG_NAME = 'config.json'

/**
 * A checkpoint folder, open for reading: `model.safetensors`, or shards with an index, and config.json.
 *
 * All headers are read and checked against the index before `open` returns; tensor data is read on
 * demand, so that a checkpoint may be larger than memory.
 */
export class Checkpoint implements TensorReader, AsyncDisposable {
  /** The folder. */
  readonly path: string
  readonly shards: readonly CheckpointShard[]
  readonly tensors: ReadonlyMap<string, CheckpointEntry>
  /** config.json, with objects that have no prototype; undefined when there is none. */
  readonly config: Readonly<Record<string, unknown>> | undefined
  /** `quantization_config` of config.json. */
  readonly quantization: QuantizationConfig | undefined
  /** Bytes of tensor data in all. */
  readonly totalBytes: number
  readonly #files: ReadonlyMap<string, SafetensorsFile>

  private constructor(
    path: string,
    shards: readonly CheckpointShard[],
    config: JsonObject | undefined,
  ) {
    this.path = path
    this.shards = shards
    this.#files = new Map(shards.map(({ name, file }) => [name, file]))
    this.tensors = gather(shards, path)
    this.totalBytes = [...this.tensors.values()].reduce((sum, e) => sum + e.byteLength, 0)
    this.config = config && (toPlain(config) as Record<string, unknown>)
    this.quantization = config && parseQuantization(config, `${path}/${CONFIG_NAME}`)
  }

  /**
   * Opens a folder, or one safetensors file as a checkpoint of its own.
   *
   * @throws {CheckpointError} when a file is missing, damaged, or does not agree with the index.
   */
  static async open(path: string, options: CheckpointOptions = {}): Promise<Checkpoint> {
    requireKnownOptions('Checkpoint.open', options, ['links'])
    requirePath('Checkpoint.open', path)
    const links = requireOneOf('links', options.links ?? 'inside', ['inside', 'anywhere'] as const)
    const folder = await InputFolder.open(path, links)
    const config = await readConfig(folder)
    const index = folder.single === undefined ? await readIndex(folder) : undefined
    const names = index === undefined ? [folder.single ?? ''] : [...new Set(index.values())].sort()
    const shards = await openShards(folder, names)
    try {
      if (index !== undefined) checkIndex(index, shards, folder.path)
      return new Checkpoint(folder.path, shards, config)
    } catch (error) {
      await Promise.all(shards.map(({ file }) => file.close()))
      throw error
    }
  }

  /** Names of all tensors, shard by shard. */
  get names(): readonly string[] {
    return [...this.tensors.keys()]
  }

  entry(name: string): CheckpointEntry {
    const entry = this.tensors.get(name)
    if (entry !== undefined) return entry
    throw new CheckpointError(`no such tensor in ${quote(this.path)}`, {
      given: quote(String(name)),
      allowed: `one of its ${this.tensors.size} names`,
      remedy: 'List the names with `checkpoint.names`.',
    })
  }

  async read(name: string, options?: TensorReadOptions): Promise<Uint8Array> {
    return this.#file(name).read(name, options)
  }

  async readRows(
    name: string,
    begin: number,
    end: number,
    options?: Pick<TensorReadOptions, 'into'>,
  ): Promise<Uint8Array> {
    return this.#file(name).readRows(name, begin, end, options)
  }

  async *chunks(
    name: string,
    options?: TensorChunkOptions,
  ): AsyncGenerator<Uint8Array, void, void> {
    yield* this.#file(name).chunks(name, options)
  }

  /** Waits for reads in flight, then releases all files. Safe to call twice. */
  async close(): Promise<void> {
    await Promise.all(this.shards.map(({ file }) => file.close()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #file(name: string): SafetensorsFile {
    return this.#files.get(this.entry(name).shard) as SafetensorsFile
  }
}

async function readConfig(folder: InputFolder): Promise<JsonObject | undefined> {
  if (!folder.has(CONFIG_NAME)) return undefined
  const path = await folder.resolve(CONFIG_NAME)
  return parseObject(await readText(path, MAX_CONFIG_BYTES), CONFIG_LIMITS, path)
}

async function readIndex(folder: InputFolder): Promise<ReadonlyMap<string, string>> {
  const path = await folder.resolve(INDEX_NAME)
  return parseIndex(await readText(path, MAX_INDEX_BYTES), path)
}
