import { join } from 'node:path'
import type { PlannedShard } from './shard-plan.js'
import type { SafetensorsMetadata } from './specs.js'
import { incomplete, SafetensorsWriter, type TensorWriteOptions } from './writer.js'

/**
 * One file of a checkpoint being written: begun by its first write and flushed by its last, so that only
 * shards in progress hold a file handle.
 */
export class OutputShard {
  readonly plan: PlannedShard
  readonly #path: string
  readonly #options: { readonly metadata: SafetensorsMetadata; readonly overwrite: boolean }
  readonly #byteLength: number
  #opening: Promise<SafetensorsWriter> | undefined
  #writer: SafetensorsWriter | undefined
  #sealing: Promise<void> | undefined
  #lost = false
  #published = false

  constructor(
    folder: string,
    plan: PlannedShard,
    options: { readonly metadata: SafetensorsMetadata; readonly overwrite: boolean },
  ) {
    this.plan = plan
    this.#path = join(folder, plan.name)
    this.#options = options
    this.#byteLength = plan.specs.reduce((sum, { byteLength }) => sum + byteLength, 0)
  }

  get remaining(): number {
    return this.#writer?.remaining ?? this.#byteLength
  }

  /** True when its file could not be made or a write to it failed. */
  get lost(): boolean {
    return this.#lost
  }

  get published(): boolean {
    return this.#published
  }

  async write(name: string, bytes: Uint8Array, options: TensorWriteOptions): Promise<void> {
    const writer = await this.#open()
    // An empty tensor may come after the write that completed, and so sealed, the shard.
    if (bytes.byteLength === 0 && writer.tensors.get(name)?.byteLength === 0) return
    try {
      await writer.write(name, bytes, options)
      if (writer.remaining === 0) await this.seal()
    } finally {
      this.#lost ||= writer.aborted
    }
  }

  requireWhole(): void {
    if (this.remaining === 0) return
    throw (
      this.#writer?.missing() ?? incomplete(this.#path, this.#byteLength, this.plan.specs[0]?.name)
    )
  }

  async seal(): Promise<void> {
    this.#sealing ??= this.#open().then((writer) => writer.seal())
    await this.#sealing
  }

  async publish(): Promise<void> {
    await (await this.#open()).publish()
    this.#published = true
  }

  async abort(): Promise<void> {
    const writer = await this.#opening?.catch(() => undefined)
    await writer?.abort()
  }

  async #open(): Promise<SafetensorsWriter> {
    this.#opening ??= SafetensorsWriter.create(this.#path, this.plan.specs, this.#options)
    try {
      this.#writer = await this.#opening
      return this.#writer
    } catch (error) {
      this.#lost = true
      throw error
    }
  }
}
