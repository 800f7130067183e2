import { setTimeout as sleep } from 'node:timers/promises'

const firstMs = 4
const growth = 1.5
const longestMs = 200

/** Waits that grow from milliseconds to a fifth of a second, scattered so that waiters spread out. */
export class Backoff {
  #next = firstMs

  async pause(): Promise<void> {
    const wait = this.#next * (0.5 + Math.random())
    this.#next = Math.min(this.#next * growth, longestMs)
    await sleep(wait)
  }
}
