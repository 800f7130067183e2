// Pure: from samples to rows, and what rows say together.

import { NativeError } from 'deepgemm'
import { median, rounded } from '../stats.js'
import type { GpuCase } from './cases.js'
import type { PeerName } from './options.js'

export type GpuRow = GpuCase & {
  readonly ours_us: number
  /** Null where the peer was not there, or does not do this product. */
  readonly deepgemm_us: number | null
  /** The same under programmatic dependent launch, which it leaves off by default. */
  readonly deepgemm_dependent_us: number | null
  readonly cublaslt_block_us: number | null
  /** Bulk copies of the bytes of the weights into shared memory; null for gradients. */
  readonly weight_read_floor_us: number | null
  /** 1 - 2 sum(xy) / sum(x^2 + y^2) over every element; null when one is NaN, so never written. */
  readonly max_error: number | null
  /** The kernel that the plan chose. */
  readonly config: string
}

/** A product with a larger error is wrong; rounding to bf16 costs some 1.4e-6. */
export const MOST_ERROR = 1e-4

export type ContestantName = 'ours' | 'floor' | PeerName

/** Microseconds of every replay. */
export type GpuSamples = Readonly<Partial<Record<ContestantName, readonly number[]>>>

/** The median of what was measured, or null when nothing was. */
export function middle(values: readonly number[] = []): number | null {
  return values.length === 0 ? null : Number(median(values).toFixed(3))
}

/** What is known of our product besides its times. */
export type ProductFacts = { readonly error: number; readonly config: string }

export function checkedFacts({ error, config }: ProductFacts): {
  readonly max_error: number | null
  readonly config: string
} {
  return { max_error: Number.isFinite(error) ? Number(error.toPrecision(3)) : null, config }
}

export function gpuRow(item: GpuCase, samples: GpuSamples, facts: ProductFacts): GpuRow {
  return {
    ...item,
    ours_us: middle(samples.ours) as number,
    deepgemm_us: middle(samples.deepgemm),
    deepgemm_dependent_us: middle(samples.deepgemm_dependent),
    cublaslt_block_us: middle(samples.cublaslt),
    weight_read_floor_us: middle(samples.floor),
    ...checkedFacts(facts),
  }
}

/** What is common to rows of every kind. */
export type CheckedRow = { readonly max_error: number | null }

/** @throws {NativeError} that names products which are not what they should be */
export function requireRight<Row extends CheckedRow>(
  rows: readonly Row[],
  nameOf: (row: Row) => string,
): void {
  const wrong = rows.filter(({ max_error }) => max_error === null || max_error > MOST_ERROR)
  if (wrong.length === 0) return
  throw new NativeError('Products are wrong', {
    given: wrong.map((row) => `${nameOf(row)}, error ${row.max_error}`).join('; '),
    allowed: `errors up to ${MOST_ERROR}`,
  })
}

export type MeanRow = {
  readonly problem: GpuCase['problem']
  /** Undefined: all gradients. */
  readonly m: number | undefined
  /** Time of the peer over ours: geometric mean, and the shape where it is worst. */
  readonly deepgemm: number | null
  readonly deepgemm_worst: number | null
  readonly deepgemm_dependent: number | null
  readonly cublaslt: number | null
  /** Our time over the floor. */
  readonly floor: number | null
}

/** Geometric means over the shapes of one M, and over the gradients. */
export function geometricMeans(rows: readonly GpuRow[]): MeanRow[] {
  const dense = rows.filter(({ problem }) => problem === 'dense')
  const sizes = [...new Set(dense.map(({ m }) => m))].sort((a, b) => a - b)
  const groups = sizes.map((m) => ({ m, rows: dense.filter((row) => row.m === m) }))
  const gradients = rows.filter(({ problem }) => problem === 'wgrad')
  return [
    ...groups.map((group) => meanRow('dense', group.m, group.rows)),
    ...(gradients.length === 0 ? [] : [meanRow('wgrad', undefined, gradients)]),
  ]
}

function meanRow(
  problem: GpuCase['problem'],
  m: number | undefined,
  rows: readonly GpuRow[],
): MeanRow {
  const ratios = (over: (row: GpuRow) => number | null): number[] =>
    rows.flatMap((row) => over(row) ?? [])
  const deepgemm = ratios((row) => row.deepgemm_us && row.deepgemm_us / row.ours_us)
  const dependent = ratios(
    (row) => row.deepgemm_dependent_us && row.deepgemm_dependent_us / row.ours_us,
  )
  const cublaslt = ratios((row) => row.cublaslt_block_us && row.cublaslt_block_us / row.ours_us)
  const floor = ratios((row) => row.weight_read_floor_us && row.ours_us / row.weight_read_floor_us)
  return {
    problem,
    m,
    deepgemm: geometricMean(deepgemm),
    deepgemm_worst: deepgemm.length === 0 ? null : rounded(Math.min(...deepgemm)),
    deepgemm_dependent: geometricMean(dependent),
    cublaslt: geometricMean(cublaslt),
    floor: geometricMean(floor),
  }
}

export function geometricMean(values: readonly number[]): number | null {
  if (values.length === 0) return null
  const logs = values.reduce((sum, value) => sum + Math.log(value), 0)
  return rounded(Math.exp(logs / values.length))
}
