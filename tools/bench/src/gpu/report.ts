// The form of the JSON that a GPU benchmark writes, and the pure way from samples to its rows.

import { NativeError } from 'deepgemm'
import { median, rounded } from '../stats.js'
import type { GpuCase } from './cases.js'
import type { PeerName } from './options.js'

export type GpuRow = GpuCase & {
  readonly ours_us: number
  /** Null where the peer was not there, or does not do this product. */
  readonly deepgemm_us: number | null
  readonly cublaslt_block_us: number | null
  /** Bulk copies of the bytes of the weights into shared memory; null for gradients. */
  readonly weight_read_floor_us: number | null
  /** 1 - 2 sum(xy) / sum(x^2 + y^2) over every element; null when one is NaN, so never written. */
  readonly max_error: number | null
  /** The kernel that the plan chose. */
  readonly config: string
}

export type JitReport = {
  /** One kernel, in a process whose NVRTC has compiled before. */
  readonly first_compile_s: number
  /** The very first one of the process, with the start of the library. */
  readonly process_first_compile_s: number
  /** From the disk cache to a kernel that can be launched. */
  readonly cached_load_ms: number
  readonly compiler: string
}

export type HostReport = {
  /** Host time of `plan.run()`. */
  readonly run_us: number
  /** cuLaunchKernel of an empty kernel from C++; null without a C++ compiler. */
  readonly bare_launch_us: number | null
  /** The same kernel through the runtime's launch. */
  readonly runtime_launch_us: number
}

type GpuMeta = {
  readonly device: string
  readonly multiprocessors: number
  /** As nvidia-smi tells, while the GPU rests; null without it. */
  readonly driver: string | null
  readonly clocks: string | null
  readonly copy_bandwidth_gbs: number | null
  readonly date: string
  readonly commit: string
  readonly command: string
  readonly node: string
  readonly rounds: number
  readonly replays: number
  readonly quick: boolean
  readonly seconds: number
  /** Versions of the peers that were there. */
  readonly peers: Readonly<Record<string, string>>
  /** Why the others, and single products, are null. */
  readonly missing: readonly string[]
  readonly method: string
  readonly compared: string
}

export type GpuReport = {
  readonly meta: GpuMeta
  readonly rows: readonly GpuRow[]
  readonly jit: JitReport
  readonly host: HostReport
}

export const METHOD: string = [
  'graph_rotating: CUDA graphs of at least 20 launches that rotate among copies of operands and',
  'outputs totalling over 160 MB, so that weights are cold; a replay is timed with events behind a',
  'pause of 100 us and divided by the launches; ours, the peers and the floor take turns in every',
  'round, and a figure is the median over all replays of all rounds. Ours: planGemm and plan.run of',
  'the public API, programmatic dependent launch as plan.run does it. LHS scales lie in the TMA',
  'layout for all. Peers run in a process of their own, on operands of the same bytes, with their',
  'default settings. The floor reads the weights with cp.async.bulk, without dependent launch.',
].join(' ')

export const COMPARED: string = [
  'max_error compares every element of one output of ours, poisoned with NaN beforehand, with the',
  'product of the dequantised operands summed on the GPU by a plain kernel of the benchmark: f32',
  'over 16 of K, float64 beyond. A peer whose error against an f32 product is above 1e-4 is null.',
].join(' ')

/** A product with a larger error is wrong; rounding to bf16 costs some 1.4e-6. */
export const MOST_ERROR = 1e-4

export type ContestantName = 'ours' | 'floor' | PeerName

/** Microseconds of every replay. */
export type GpuSamples = Readonly<Partial<Record<ContestantName, readonly number[]>>>

/** The median of what was measured, or null when nothing was. */
export function middle(values: readonly number[] = []): number | null {
  return values.length === 0 ? null : Number(median(values).toFixed(3))
}

export function gpuRow(
  item: GpuCase,
  samples: GpuSamples,
  facts: { readonly error: number; readonly config: string },
): GpuRow {
  return {
    ...item,
    ours_us: Number(median(samples.ours ?? []).toFixed(3)),
    deepgemm_us: middle(samples.deepgemm),
    cublaslt_block_us: middle(samples.cublaslt),
    weight_read_floor_us: middle(samples.floor),
    max_error: Number.isFinite(facts.error) ? Number(facts.error.toPrecision(3)) : null,
    config: facts.config,
  }
}

/** @throws {NativeError} that names products which are not what they should be */
export function requireRight(rows: readonly GpuRow[]): void {
  const wrong = rows.filter(({ max_error }) => max_error === null || max_error > MOST_ERROR)
  if (wrong.length === 0) return
  throw new NativeError('Products are wrong', {
    given: wrong.map((row) => `${row.m}x${row.n}x${row.k}, error ${row.max_error}`).join('; '),
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
  const cublaslt = ratios((row) => row.cublaslt_block_us && row.cublaslt_block_us / row.ours_us)
  const floor = ratios((row) => row.weight_read_floor_us && row.ours_us / row.weight_read_floor_us)
  return {
    problem,
    m,
    deepgemm: geometricMean(deepgemm),
    deepgemm_worst: deepgemm.length === 0 ? null : rounded(Math.min(...deepgemm)),
    cublaslt: geometricMean(cublaslt),
    floor: geometricMean(floor),
  }
}

function geometricMean(values: readonly number[]): number | null {
  if (values.length === 0) return null
  const logs = values.reduce((sum, value) => sum + Math.log(value), 0)
  return rounded(Math.exp(logs / values.length))
}
