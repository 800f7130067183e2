import type { GemmShape } from '../plan/cases.js'
import type { Contestant } from '../plan/rounds.js'

/** Another library on so many threads, in a process of its own. */
export interface Peer {
  /** Makes operands for a product, enough copies of the weights to find them cold each time. */
  prepare(shape: GemmShape, coldBytes: number): Promise<Contestant[]>
  close(): void
}

/** A library that was found on this machine. */
export type PeerLibrary = {
  readonly name: string
  readonly version: string
  open(threads: number): Peer
}
