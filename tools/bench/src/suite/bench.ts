// What a device must offer for the suite to run on it.

import type { SuiteCase } from './problem.js'
import type { Ceilings, ContestantInfo, SuiteMeta, SuiteRow } from './result.js'

export type DeviceFacts = Pick<
  SuiteMeta,
  'device' | 'kind' | 'architecture' | 'parallelism' | 'driver' | 'clocks' | 'method'
>

/** A device with the peers that run on it; opened for one problem set. */
export interface SuiteBench {
  readonly facts: DeviceFacts
  /** Ours and the peers that were found. */
  readonly contestants: Readonly<Record<string, ContestantInfo>>
  /** Why others, and single products of those found, are missing; grows while rows are measured. */
  readonly missing: readonly string[]
  /** Seconds that a row takes, roughly: only their proportions matter. */
  expectedSeconds(item: SuiteCase): number
  ceilings(): Promise<Ceilings>
  /** Every contestant in every round. @throws {DeepGemmError} and the signal's reason */
  measure(item: SuiteCase): Promise<SuiteRow>
  close(): Promise<void>
}

export type SuiteSettings = {
  readonly set: { readonly name: string; readonly cases: readonly SuiteCase[] }
  readonly rounds: number
  readonly signal: AbortSignal
  /** Names of peers that take part where they are installed. */
  readonly peers: readonly string[]
}
