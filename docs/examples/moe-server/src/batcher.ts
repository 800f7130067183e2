// Requests that arrive while a batch is computed wait and become the next batch together.

/** The service takes no more requests for now. */
export class BusyError extends Error {
  override readonly name = 'BusyError'
}

/** The service ends. */
export class ClosedError extends Error {
  override readonly name = 'ClosedError'
}

/** Computes the rows of a batch; as many rows come out as go in. */
export type Compute = (rows: Uint16Array<ArrayBuffer>, tokens: number) => Promise<Uint16Array>

export type BatcherOptions = {
  /** Numbers of one row. */
  readonly width: number
  /** Rows of a batch at most. */
  readonly maxTokens: number
  /** Rows that may wait; requests beyond that are refused. */
  readonly maxWaiting: number
  readonly compute: Compute
  /** Told of every batch that was computed. */
  readonly onBatch?: (batch: {
    readonly tokens: number
    readonly requests: number
    readonly milliseconds: number
  }) => void
}

type Waiting = {
  readonly rows: Uint16Array
  readonly tokens: number
  readonly resolve: (rows: Uint16Array) => void
  readonly reject: (reason: unknown) => void
}

export class Batcher {
  readonly #options: BatcherOptions
  #queue: Waiting[] = []
  #waitingTokens = 0
  #running: Promise<void> | undefined
  #closed = false

  constructor(options: BatcherOptions) {
    this.#options = options
  }

  /** Rows that wait for their batch. */
  get waiting(): number {
    return this.#waitingTokens
  }

  /**
   * The result of `rows`, which have at most `maxTokens` rows. A request whose signal aborts before
   * its batch starts is not computed.
   *
   * @throws {BusyError | ClosedError}
   */
  async submit(rows: Uint16Array, signal?: AbortSignal): Promise<Uint16Array> {
    const { width, maxWaiting } = this.#options
    if (this.#closed) throw new ClosedError('The service is shutting down')
    const tokens = rows.length / width
    if (tokens === 0) return new Uint16Array(0)
    if (this.#waitingTokens + tokens > maxWaiting) {
      throw new BusyError(`${this.#waitingTokens} tokens are waiting; at most ${maxWaiting} may`)
    }
    return new Promise((resolve, reject) => {
      const entry: Waiting = { rows, tokens, resolve, reject }
      this.#queue.push(entry)
      this.#waitingTokens += tokens
      signal?.addEventListener('abort', () => this.#drop(entry, signal.reason), { once: true })
      this.#running ??= this.#drain()
    })
  }

  /** Computes what waits, and takes nothing more. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  #drop(entry: Waiting, reason: unknown): void {
    const at = this.#queue.indexOf(entry)
    if (at < 0) return
    this.#queue.splice(at, 1)
    this.#waitingTokens -= entry.tokens
    entry.reject(reason)
  }

  async #drain(): Promise<void> {
    // Requests of one turn of the event loop make one batch.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#queue.length > 0) await this.#run(this.#take())
    this.#running = undefined
  }

  /** The oldest requests that fit in a batch: at least one. */
  #take(): Waiting[] {
    let tokens = 0
    let count = 0
    for (const entry of this.#queue) {
      if (count > 0 && tokens + entry.tokens > this.#options.maxTokens) break
      tokens += entry.tokens
      count += 1
    }
    this.#waitingTokens -= tokens
    return this.#queue.splice(0, count)
  }

  async #run(batch: readonly Waiting[]): Promise<void> {
    const { width, compute, onBatch } = this.#options
    const tokens = batch.reduce((sum, entry) => sum + entry.tokens, 0)
    const rows = new Uint16Array(tokens * width)
    const starts: number[] = []
    let at = 0
    for (const entry of batch) {
      starts.push(at)
      rows.set(entry.rows, at)
      at += entry.rows.length
    }
    try {
      const begun = performance.now()
      const result = await compute(rows, tokens)
      onBatch?.({ tokens, requests: batch.length, milliseconds: performance.now() - begun })
      for (const [i, entry] of batch.entries()) {
        const start = starts[i] as number
        entry.resolve(result.subarray(start, start + entry.rows.length))
      }
    } catch (error) {
      for (const entry of batch) entry.reject(error)
    }
  }
}
