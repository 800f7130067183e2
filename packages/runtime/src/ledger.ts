/** One live buffer, as `device.memory()` shows it. */
export type MemoryHolder = { readonly label: string; readonly bytes: number }

/** Live bytes of a device and who holds them, largest first. */
export type MemoryReport = {
  readonly liveBytes: number
  readonly buffers: readonly MemoryHolder[]
}

/** The buffers of one device that have not been freed. */
export class Ledger {
  readonly #live = new Map<number, MemoryHolder>()
  #nextId = 0

  /** Returns the key to hand to `remove`. */
  add(holder: MemoryHolder): number {
    const id = this.#nextId++
    this.#live.set(id, holder)
    return id
  }

  remove(id: number): void {
    this.#live.delete(id)
  }

  report(): MemoryReport {
    const buffers = [...this.#live.values()].sort((a, b) => b.bytes - a.bytes)
    return { liveBytes: buffers.reduce((sum, { bytes }) => sum + bytes, 0), buffers }
  }
}
