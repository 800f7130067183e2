import { CheckpointError, OptionError, requireInteger, requireKnownOptions } from '@deepgemm/core'
import { AtomicFile } from './atomic-file.js'
import type { TensorEntry, TensorSpec } from './entry.js'
import { requirePath } from './errors.js'
import { type PlannedFile, planFile } from './header-encode.js'
import { RangeSet } from './range-set.js'
import type { SafetensorsMetadata } from './specs.js'
import { quote } from './text.js'

export type WriterOptions = {
  /** String pairs for the header. */
  readonly metadata?: SafetensorsMetadata
  /** Replace a file that is already there; refused otherwise. */
  readonly overwrite?: boolean
}

export type TensorWriteOptions = {
  /** First byte within the tensor; otherwise after the bytes written so far without gap. */
  readonly byteOffset?: number
}

type State = 'open' | 'sealed' | 'finished' | 'aborted'

/**
 * Writes one safetensors file, tensors and pieces of them in any order.
 *
 * The file appears under its name only when `finish` has succeeded. A failed write, `abort`, or the end
 * of an `await using` block without `finish` removes everything.
 */
export class SafetensorsWriter implements AsyncDisposable {
  readonly path: string
  /** Where each tensor goes, in the order of the header. */
  readonly tensors: ReadonlyMap<string, TensorEntry>
  /** Length the finished file will have. */
  readonly byteLength: number
  readonly #file: AtomicFile
  readonly #written = new Map<string, RangeSet>()
  readonly #inFlight = new Set<Promise<void>>()
  #remaining: number
  #state: State = 'open'

  private constructor(plan: PlannedFile, file: AtomicFile) {
    this.path = file.path
    this.tensors = plan.tensors
    this.byteLength = plan.byteLength
    this.#remaining = plan.byteLength - plan.head.byteLength
    this.#file = file
    for (const name of plan.tensors.keys()) this.#written.set(name, new RangeSet())
  }

  /** @throws {CheckpointError} when the tensors cannot be one file, or the path cannot be written. */
  static async create(
    path: string,
    specs: Iterable<TensorSpec>,
    options: WriterOptions = {},
  ): Promise<SafetensorsWriter> {
    requireKnownOptions('SafetensorsWriter.create', options, ['metadata', 'overwrite'])
    requirePath('SafetensorsWriter.create', path)
    const plan = planFile(specs, options.metadata ?? {}, path)
    const file = await AtomicFile.create(path, plan.byteLength, options.overwrite ?? false)
    try {
      await file.write(plan.head, 0)
    } catch (error) {
      await file.abort()
      throw error
    }
    return new SafetensorsWriter(plan, file)
  }

  /** Bytes of tensor data not written yet. */
  get remaining(): number {
    return this.#remaining
  }

  /** True after `abort`, or after a failed write. */
  get aborted(): boolean {
    return this.#state === 'aborted'
  }

  /** The error that `finish` would throw for want of data, if any. */
  missing(): CheckpointError | undefined {
    if (this.#remaining === 0) return undefined
    for (const { name, byteLength } of this.tensors.values()) {
      if (this.#written.get(name)?.total === byteLength) continue
      return incomplete(this.path, this.#remaining, name)
    }
    return undefined
  }

  /**
   * Writes a piece of a tensor. `bytes` must stay unchanged until the promise settles. Several writes may
   * be in flight; a byte may be written only once.
   */
  async write(name: string, bytes: Uint8Array, options: TensorWriteOptions = {}): Promise<void> {
    requireKnownOptions('write', options, ['byteOffset'])
    this.#require('open')
    const position = this.#claim(name, bytes, options.byteOffset)
    const writing = this.#file.write(bytes, position)
    this.#inFlight.add(writing)
    try {
      await writing
    } catch (error) {
      this.#inFlight.delete(writing)
      await this.abort()
      throw error
    }
    this.#inFlight.delete(writing)
  }

  /** Flushes the file and gives it its name. Every byte must have been written. */
  async finish(): Promise<void> {
    await this.seal()
    await this.publish()
  }

  /** First half of `finish`: flushed and closed, still under a temporary name. */
  async seal(): Promise<void> {
    this.#require('open')
    const missing = this.missing()
    if (missing !== undefined) throw missing
    this.#state = 'sealed'
    await this.#orAbort(async () => {
      await Promise.all(this.#inFlight)
      await this.#file.seal()
    })
  }

  /** Second half of `finish`. */
  async publish(): Promise<void> {
    this.#require('sealed')
    await this.#orAbort(() => this.#file.publish())
    this.#state = 'finished'
  }

  /** Removes what was written. Does nothing after `finish`. */
  async abort(): Promise<void> {
    if (this.#state === 'finished' || this.#state === 'aborted') return
    this.#state = 'aborted'
    await Promise.allSettled(this.#inFlight)
    await this.#file.abort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort()
  }

  /** Marks the bytes as written and says where they go. */
  #claim(name: string, bytes: Uint8Array, byteOffset: number | undefined): number {
    const entry = this.tensors.get(name)
    const written = this.#written.get(name)
    const subject = `write of ${quote(String(name))} to ${quote(this.path)}`
    if (entry === undefined || written === undefined) {
      throw new CheckpointError(subject, {
        given: 'a name that was not announced',
        allowed: `one of the ${this.tensors.size} names given to create`,
      })
    }
    if (!(bytes instanceof Uint8Array)) {
      throw new OptionError(subject, { given: typeof bytes, allowed: 'a Uint8Array' })
    }
    const most = entry.byteLength - bytes.byteLength
    if (most < 0) throw tooLong(subject, entry, bytes.byteLength)
    const begin = requireInteger(`${subject}: byteOffset`, byteOffset ?? written.firstFree, 0, most)
    if (!written.claim(begin, begin + bytes.byteLength)) {
      throw new CheckpointError(subject, {
        given: `bytes ${begin} to ${begin + bytes.byteLength}, a part of which is written already`,
        allowed: 'each byte once',
      })
    }
    this.#remaining -= bytes.byteLength
    return entry.fileOffset + begin
  }

  #require(state: State): void {
    if (this.#state === state) return
    throw new CheckpointError(`the writer of ${quote(this.path)} is ${this.#state}`, {
      given: `a call that needs it ${state}`,
      allowed: 'any number of write, then one finish or abort',
      remedy: 'Create another writer.',
    })
  }

  async #orAbort(action: () => Promise<unknown>): Promise<void> {
    try {
      await action()
    } catch (error) {
      await this.abort()
      throw error
    }
  }
}

function tooLong(subject: string, entry: TensorEntry, byteLength: number): CheckpointError {
  return new CheckpointError(subject, {
    given: `${byteLength} bytes`,
    allowed: `at most ${entry.byteLength} bytes, the size of the tensor`,
  })
}

/** The error for a file whose data did not all come. */
export function incomplete(path: string, bytes: number, first: string = ''): CheckpointError {
  return new CheckpointError(`${quote(path)} is not complete`, {
    given: `${bytes} bytes not written, the first of tensor ${quote(first)}`,
    allowed: 'every byte of every tensor',
    remedy: 'Write the rest before finish, or abort.',
  })
}
