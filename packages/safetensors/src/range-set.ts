/** Byte ranges that have been claimed, merged where they touch. Sequential writes keep it at one range. */
export class RangeSet {
  /** Begins and ends in turn: [begin0, end0, begin1, end1, …], strictly increasing. */
  readonly #edges: number[] = []
  #total = 0

  /** Bytes claimed in all. */
  get total(): number {
    return this.#total
  }

  /** Claims [begin, end); false, with nothing changed, when a part of it is taken. */
  claim(begin: number, end: number): boolean {
    if (begin === end) return true
    const edges = this.#edges
    const at = this.#firstAbove(begin)
    // Inside a range when an odd number of edges lie at or below `begin`.
    if (at % 2 === 1 || (edges[at] ?? Number.POSITIVE_INFINITY) < end) return false
    const joinsLeft = edges[at - 1] === begin
    const joinsRight = edges[at] === end
    edges.splice(
      at - (joinsLeft ? 1 : 0),
      (joinsLeft ? 1 : 0) + (joinsRight ? 1 : 0),
      ...(joinsLeft ? [] : [begin]),
      ...(joinsRight ? [] : [end]),
    )
    this.#total += end - begin
    return true
  }

  /** The first byte at or after 0 that is not claimed. */
  get firstFree(): number {
    return this.#edges[0] === 0 ? (this.#edges[1] ?? 0) : 0
  }

  /** Index of the first edge greater than `value`. */
  #firstAbove(value: number): number {
    let low = 0
    let high = this.#edges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#edges[middle] ?? 0) > value) high = middle
      else low = middle + 1
    }
    return low
  }
}
