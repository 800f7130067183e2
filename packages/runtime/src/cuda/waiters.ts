import type { NativeStream } from '../native/addon.js'
import type { NativeCudaEvent } from '../native/cuda.js'
import { loadAddon } from '../native/load.js'

type Waiter = { readonly queue: NativeStream; pending: number; latest: number }

/**
 * Native threads that wait for events of one stream. A thread waits for its events one after
 * another, so an event goes to a thread that waits for none that lies later in the stream.
 */
export class Waiters {
  readonly #waiters: Waiter[] = []

  /** Resolves when the event, the `position`th of the stream, has happened. */
  async settle(event: NativeCudaEvent, position: number): Promise<void> {
    const waiter = this.#take(position)
    waiter.pending += 1
    waiter.latest = position
    try {
      event.settleOn(waiter.queue)
      await waiter.queue.synchronize()
    } finally {
      waiter.pending -= 1
    }
  }

  /** Waits under way still end. */
  close(): void {
    for (const { queue } of this.#waiters) queue.close()
    this.#waiters.length = 0
  }

  #take(position: number): Waiter {
    const free = this.#waiters.find(({ pending, latest }) => pending === 0 || latest <= position)
    if (free !== undefined) return free
    const made = { queue: new (loadAddon().Stream)(), pending: 0, latest: position }
    this.#waiters.push(made)
    return made
  }
}
