import { BLOCK } from '../recipe.js'
import { ceilDiv } from '../shape.js'
import type { Sm90Config } from './config.js'
import {
  type GemmExtents,
  type Sm90Schedule,
  type Sm90Streaming,
  sm90Schedule,
} from './schedule.js'
import { mathWarpGroups } from './tile.js'

/** The part of a device that the cost model needs. */
export type Sm90Device = { readonly multiprocessors: number }

/** Microseconds and bytes per microsecond, fitted to one H100 (132 multiprocessors, 3.0 TB/s). */
export const figures = {
  /** Multiply-adds of one multiprocessor per microsecond, operands at hand: 4096 per clock at 1755 MHz. */
  multiplyAdds: 7_188_480,
  /** Time of the products with their promotion over that of the products alone. */
  lockstep: 1.57,
  ordered: 1.38,
  alternating: 1.24,
  /** From full stage to empty stage when nothing else limits. */
  stepLatency: 0.27,
  alternatingLatency: 0.16,
  /** What enters one multiprocessor's shared memory. */
  fill: 81e3,
  /** Share of the shorter of products and loads that the longer one does not hide. */
  unhidden: 0.3,
  /** Of a tile besides its K blocks: fixed, and for 128 × 128 outputs. */
  tileFixed: 0.6,
  tileOutputs: 0.9,
  /** Handing over a partial sum: fixed, and bytes that the owner reads. */
  handOver: 3.5,
  partialFill: 40e3,
  memory: 2.75e6,
  /** What one multiprocessor draws from memory, however many loads it has in flight. */
  memoryShare: 30e3,
  launch: 2,
}

export type Sm90Cost = {
  readonly microseconds: number
  readonly streaming: Sm90Streaming
  readonly schedule: Sm90Schedule
}

/** The cheapest way of dealing the tiles of a problem under this config. */
export function sm90Cost(config: Sm90Config, extents: GemmExtents, device: Sm90Device): Sm90Cost {
  const ways = (['whole', 'tail', 'all'] as const).map((streaming) => {
    const schedule = sm90Schedule(config, extents, device.multiprocessors, streaming)
    const busy = Math.max(
      workTime(config, extents, schedule, device),
      memoryTime(config, extents, schedule),
    )
    const handOver = schedule.streamedTiles > 0 ? handOverTime(config, schedule) : 0
    return { streaming, schedule, microseconds: figures.launch + busy + handOver }
  })
  return ways.reduce((best, way) => (way.microseconds < best.microseconds ? way : best))
}

/** Of one K block of one tile. */
export function stepTime(config: Sm90Config): number {
  const alternating = config.accumulators === 2
  const slack = alternating
    ? figures.alternating
    : config.ordered
      ? figures.ordered
      : figures.lockstep
  const products = config.blockLeft * config.blockRight * BLOCK
  const math = (products / figures.multiplyAdds) * slack
  const fill = ((config.blockLeft + config.blockRight) * BLOCK) / figures.fill
  const overlapped = Math.max(math, fill) + figures.unhidden * Math.min(math, fill)
  const latency = alternating ? figures.alternatingLatency : figures.stepLatency
  return Math.max(overlapped, latency / Math.max(1, mathWarpGroups(config) - 1))
}

function workTime(
  config: Sm90Config,
  extents: GemmExtents,
  schedule: Sm90Schedule,
  device: Sm90Device,
): number {
  const { leftTiles, rightTiles, workers, streamedTiles } = schedule
  const kBlocks = ceilDiv(extents.k, BLOCK)
  const outputs = config.blockLeft * config.blockRight
  const tileTime = figures.tileFixed + (figures.tileOutputs * outputs) / (128 * 128)
  const whole = ceilDiv(leftTiles * rightTiles - streamedTiles, workers)
  const steps = whole * kBlocks + ceilDiv(streamedTiles * kBlocks, workers)
  const stores = whole + ceilDiv(streamedTiles, workers)
  // Blocks that share a multiprocessor share its speed.
  const sharing = Math.max(1, schedule.grid / device.multiprocessors)
  const time = (steps * stepTime(config) + stores * tileTime) * sharing
  return time
}

/** The owner of a tile waits for everyone's partial sums and reads them one after another. */
export function handOverTime(
  config: Sm90Config,
  { streamedTiles, workers }: Pick<Sm90Schedule, 'streamedTiles' | 'workers'>,
): number {
  const partials = Math.max(1, ceilDiv(workers, streamedTiles) - 1)
  return (
    figures.handOver + (partials * config.blockLeft * config.blockRight * 4) / figures.partialFill
  )
}

function memoryTime(
  config: Sm90Config,
  { m, n, k }: GemmExtents,
  { grid, rightTiles }: Sm90Schedule,
): number {
  const element = (config.out === 'bf16' ? 2 : 4) * (config.accumulate ? 2 : 1)
  const bytes = m * k + n * k + m * n * element
  // Every tile of tokens draws the weights anew, if only from L2.
  const drawn = config.swapped ? bytes + (rightTiles - 1) * n * k : bytes
  return Math.max(bytes / figures.memory, drawn / (Math.max(1, grid) * figures.memoryShare))
}
