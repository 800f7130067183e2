import { requireInteger } from '@deepgemm/core'

/** Gives out a fixed number of places; who comes later waits in line. */
export class Limiter {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(places: number) {
    this.#free = requireInteger('concurrency', places, 1)
  }

  /** Resolves with a function that gives the place back; further calls of it do nothing. */
  async enter(): Promise<() => void> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    let held = true
    return () => {
      if (!held) return
      held = false
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }
}
