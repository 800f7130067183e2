/** Latencies that are remembered. */
const WINDOW = 4096

/** What the service reports of itself; memory does not grow with the number of requests. */
export class Stats {
  readonly #latencies = new Float64Array(WINDOW)
  readonly #started = performance.now()
  #requests = 0
  #failed = 0
  #tokens = 0
  #batches = 0
  #batchMilliseconds = 0

  /** A request was answered after so many milliseconds. */
  answered(milliseconds: number): void {
    this.#latencies[this.#requests % WINDOW] = milliseconds
    this.#requests += 1
  }

  failed(): void {
    this.#failed += 1
  }

  computed(tokens: number, milliseconds: number): void {
    this.#batches += 1
    this.#tokens += tokens
    this.#batchMilliseconds += milliseconds
  }

  report(): Record<string, number> {
    const known = this.#latencies.slice(0, Math.min(this.#requests, WINDOW)).sort()
    const quantile = (share: number): number =>
      round(known[Math.min(known.length - 1, Math.floor(share * known.length))] ?? 0)
    const seconds = this.#batchMilliseconds / 1000
    return {
      requests: this.#requests,
      failed: this.#failed,
      tokens: this.#tokens,
      batches: this.#batches,
      tokensPerBatch: round(this.#tokens / Math.max(1, this.#batches)),
      tokensPerSecondOfComputing: round(seconds === 0 ? 0 : this.#tokens / seconds),
      latencyMedianMs: quantile(0.5),
      latency99Ms: quantile(0.99),
      uptimeSeconds: round((performance.now() - this.#started) / 1000),
      residentMegabytes: round(process.memoryUsage.rss() / 2 ** 20),
    }
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
