import type { GemmShape } from '../plan/cases.js'
import type { Contestant } from '../plan/rounds.js'

/** Another library on so many threads, in a process of its own. */
export interface Peer {
  /** Makes operands for a product, enough copies of the weights to find them cold each time. */
  prepare(shape: GemmShape, coldBytes: number): Promise<Contestant[]>
  /**
   * How far the product that a contestant of `prepare` computed last is from a float64 one of its
   * own operands: 1 - 2 sum(xy) / sum(x^2 + y^2) over elements all over it.
   */
  error(name: string): Promise<number>
  close(): void
}

/** A library that was found on this machine. */
export type PeerLibrary = {
  readonly name: string
  readonly version: string
  /** Names of what it enters a comparison with. */
  readonly contestants: readonly string[]
  open(threads: number): Peer
}
