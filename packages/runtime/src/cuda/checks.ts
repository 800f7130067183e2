/** Looks at what a kernel reported; rejects when that is bad. */
export type Check = () => Promise<void>

/** Checks that wait for the work before them. One per key: a later one replaces an earlier one. */
export class Checks {
  readonly #waiting = new Map<unknown, Check>()

  add(key: unknown, check: Check): void {
    this.#waiting.set(key, check)
  }

  /** Those of the work so far, which are then the caller's to run or to give back. */
  take(): TakenChecks {
    const taken = [...this.#waiting]
    this.#waiting.clear()
    return {
      run: () => runAll(taken.map(([, check]) => check)),
      giveBack: () => {
        for (const [key, check] of taken) {
          if (!this.#waiting.has(key)) this.#waiting.set(key, check)
        }
      },
    }
  }
}

type TakenChecks = {
  /** Runs all of them; rejects with the first failure. */
  run(): Promise<void>
  giveBack(): void
}

async function runAll(checks: readonly Check[]): Promise<void> {
  const results = await Promise.allSettled(checks.map((check) => check()))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
