// The form of the JSON that a benchmark writes, and the pure way from samples to its rows.

import type { GemmShape } from './plan/cases.js'
import { median, pairedRatio, rounded } from './stats.js'

/** Names of the contestants of a dense case. */
export const OURS = 'ours'
export const READ = 'read floor'
export const ONNXRUNTIME = 'onnxruntime-node f32'
export const ONEDNN = 'oneDNN bf16'
export const ONEDNN_PACKED = 'oneDNN bf16, packed'

export type GemmRow = GemmShape & {
  readonly threads: number
  readonly isa: string
  /** Whether our weights were brought into another order beforehand. */
  readonly prepacked: boolean
  readonly ours_gflops: number
  /** Peak of the instruction set's multiply-add; null where it is not known. */
  readonly peak_gflops: number | null
  /** Time to read the bytes of the weights once, as a share of our time. */
  readonly floor_ratio: number
  /** Ours as a share of the roofline: the lower of the peak and what the read floor allows. */
  readonly roof_ratio: number
  /** Time of the peer over our time; null where the peer was not there. */
  readonly onnxruntime_ratio: number | null
  readonly onednn_ratio: number | null
  readonly onednn_prepacked_ratio: number | null
}

export type CastRow = {
  readonly rows: number
  readonly columns: number
  readonly source: 'f32' | 'bf16'
  readonly recipe: string
  readonly threads: number
  readonly isa: string
  /** Bytes read and written per second, into tensors that exist. */
  readonly ours_gbps: number
  /** The same through `quantize`, which also allocates its result. */
  readonly call_gbps: number
  readonly copy_gbps: number
  /** Ours over a memcpy's bandwidth. */
  readonly copy_ratio: number
  readonly call_copy_ratio: number
}

export type OverheadRow = GemmShape & {
  readonly threads: number
  readonly isa: string
  /** The kernel without Node around it. */
  readonly native_us: number
  /** `run` and `await synchronize()`, one after another. */
  readonly awaited_us: number
  readonly awaited_overhead_us: number
  /** Many `run` and one `synchronize()`, per product. */
  readonly pipelined_us: number
  readonly pipelined_overhead_us: number
  /** One awaited product after a pause of 3 ms, and the same on a device of one thread. */
  readonly after_pause_us: number
  readonly after_pause_one_thread_us: number
  /** One thread's time over this device's, in pairs. */
  readonly after_pause_ratio: number
}

export type GroupedRow = {
  readonly name: string
  readonly layout: string
  /** Ours; the dense products and the read floor use plain weights. */
  readonly prepacked: boolean
  readonly groups: number
  /** Tokens, without padding. */
  readonly tokens: number
  readonly n: number
  readonly k: number
  readonly threads: number
  readonly isa: string
  readonly ours_gflops: number
  /** Time of one dense product per expert, enqueued together, over our time. */
  readonly dense_ratio: number
  /** Time to read the weights of the experts that have tokens once, as a share of our time. */
  readonly floor_ratio: number
}

export type EventLoopRow = GemmShape & {
  readonly threads: number
  readonly isa: string
  /** Seconds of products during which the event loop was watched. */
  readonly seconds: number
  /** How late timers came, while products ran and while nothing did: at worst, and of 99 in 100. */
  readonly worst_delay_ms: number
  readonly p99_delay_ms: number
  readonly median_delay_ms: number
  readonly idle_worst_delay_ms: number
  readonly idle_p99_delay_ms: number
}

export type Meta = {
  readonly device: string
  readonly cores: number
  readonly os: string
  readonly date: string
  readonly commit: string
  readonly command: string
  readonly node: string
  readonly pairs: number
  readonly quick: boolean
  /** Averages over 1, 5 and 15 minutes, before and after. */
  readonly load_before: readonly number[]
  readonly load_after: readonly number[]
  /** Versions of the peers that were there. */
  readonly peers: Readonly<Record<string, string>>
}

export type Report = {
  readonly meta: Meta
  readonly rows: readonly GemmRow[]
  readonly casts: readonly CastRow[]
  readonly overhead: readonly OverheadRow[]
  readonly grouped: readonly GroupedRow[]
  readonly event_loop: readonly EventLoopRow[]
}

export type Samples = ReadonlyMap<string, readonly number[]>

/** Samples of one contestant. @throws {RangeError} when it did not run. */
export function samplesOf(samples: Samples, name: string): readonly number[] {
  const found = samples.get(name)
  if (found !== undefined) return found
  throw new RangeError(`There are no samples of ${name}`)
}

/** Ratio to a peer, or null when the peer did not run. */
function ratioTo(samples: Samples, name: string): number | null {
  const peer = samples.get(name)
  return peer === undefined ? null : rounded(pairedRatio(samplesOf(samples, OURS), peer))
}

type GemmSetting = { readonly threads: number; readonly isa: string; readonly prepacked: boolean }

/** A row from the samples of a dense case; `peaks` are operations per second, 0 when unknown. */
export function gemmRow(
  { m, n, k }: GemmShape,
  setting: GemmSetting,
  samples: Samples,
  peaks: readonly number[],
): GemmRow {
  const ours = samplesOf(samples, OURS)
  const flops = 2 * m * n * k
  const peak = median(peaks)
  const floorRatio = pairedRatio(ours, samplesOf(samples, READ))
  const peakRatio = peak > 0 ? flops / median(ours) / peak : 0
  return {
    ...{ m, n, k },
    ...setting,
    ours_gflops: rounded(flops / median(ours) / 1e9),
    peak_gflops: peak > 0 ? rounded(peak / 1e9) : null,
    floor_ratio: rounded(floorRatio),
    roof_ratio: rounded(Math.max(floorRatio, peakRatio)),
    onnxruntime_ratio: ratioTo(samples, ONNXRUNTIME),
    onednn_ratio: ratioTo(samples, ONEDNN),
    onednn_prepacked_ratio: ratioTo(samples, ONEDNN_PACKED),
  }
}
