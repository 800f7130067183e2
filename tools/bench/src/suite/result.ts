// The form of the JSON that a run of the suite writes.

import type { SuiteCase } from './problem.js'

/** Changes when older readers would misread what is written. */
export const FORMAT = 'deepgemm-bench/1'

/** How operands are stored; what that costs in accuracy stands in `formats`. */
export type OperandFormat = 'e4m3, block scales' | 'e4m3, one scale' | 'bf16' | 'f32'

export type ContestantInfo = {
  readonly label: string
  readonly version: string
  readonly operands: OperandFormat
}

export type Figures = {
  /** Microseconds of one product, a sample per round; rounds pair contestants. */
  readonly us: readonly number[]
  /** 1 - 2 sum(xy) / sum(x^2 + y^2) against a product of its own operands; null: not measured. */
  readonly error: number | null
}

export type SuiteRow = SuiteCase & {
  /** What computes ours: the kernel's config, or the instruction set. */
  readonly config: string
  /** By names of contestants; those that refuse the product are absent. */
  readonly figures: Readonly<Record<string, Figures>>
  /** Microseconds to read the weights once, a sample per round; empty where not measured. */
  readonly floor_us: readonly number[]
}

/** What the machine did at most in this run; samples. */
export type Ceilings = {
  /** Bytes per second of reading memory that no cache holds, in GB/s; empty: not measured. */
  readonly read_gbs: readonly number[]
  readonly peaks: readonly { readonly label: string; readonly gflops: readonly number[] }[]
}

/** Error that storing operands in a format costs, before any arithmetic. */
export type FormatError = {
  readonly operands: OperandFormat
  /** On normally distributed numbers, and with channels of activations 100 times larger. */
  readonly normal: number
  readonly outliers: number
}

export type SuiteMeta = {
  readonly device: string
  readonly kind: 'cpu' | 'cuda'
  readonly architecture: string
  /** Threads, or multiprocessors. */
  readonly parallelism: number
  readonly set: string
  readonly source: string | null
  readonly rounds: number
  readonly os: string
  readonly node: string
  /** Of the library that was measured. */
  readonly version: string
  /** Of its sources, where they are a checkout. */
  readonly commit: string | null
  readonly command: string
  readonly date: string
  readonly seconds: number
  /** How often the run was begun: more than once when it was interrupted. */
  readonly sittings: number
  readonly load_before: readonly number[]
  readonly load_after: readonly number[]
  /** Of the GPU; null elsewhere. */
  readonly driver: string | null
  readonly clocks: string | null
  /** Why peers, or single products of theirs, are not there. */
  readonly missing: readonly string[]
  readonly method: string
}

export type SuiteResult = {
  readonly format: typeof FORMAT
  readonly meta: SuiteMeta
  readonly contestants: Readonly<Record<string, ContestantInfo>>
  readonly ceilings: Ceilings
  readonly formats: readonly FormatError[]
  readonly rows: readonly SuiteRow[]
}

/** The contestant that every row has. */
export const OURS = 'ours'
