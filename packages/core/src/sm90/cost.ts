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

/**
 * Microseconds and bytes per microsecond, fitted to the times of 2,354 launches on one H100 (132
 * multiprocessors; docs/benchmarks/h100-sweep.jsonl) so that what the model chooses is close to the
 * fastest: 1.0 % slower in the mean, 7.6 % at worst. Single times are off by 20 %.
 */
export const figures = {
  /** Multiply-adds of one multiprocessor per microsecond, operands at hand: 4096 per clock at 1755 MHz. */
  multiplyAdds: 7_188_480,
  /** Time of the products with their promotion over that of the products alone, by kind of tile. */
  slack: {
    tokens: 5.344,
    half: 1.937,
    narrow: 2.252,
    plain: 1.194,
    alternating: 1.237,
    large: 1.134,
    tall: 1.21,
  },
  /** From full stage to empty stage when nothing else limits. */
  latency: {
    tokens: 0.1003,
    half: 0.2418,
    narrow: 0.1657,
    plain: 0.2294,
    alternating: 0.1329,
    large: 0.5004,
    tall: 1.174,
  },
  /** What enters one multiprocessor's shared memory, and its change where a cluster shares loads. */
  fill: 100_000,
  sharedFill: 0.9065,
  /** Share of the shorter of products and loads that the longer one does not hide. */
  unhidden: 0.2533,
  /** Of a tile besides its K blocks: fixed, and for 128 × 128 outputs of bf16. */
  tileFixed: 0.4611,
  tileOutputs: 0.9439,
  /** Handing over a partial sum: fixed, and bytes that the owner reads. */
  handOver: 2.582,
  partialFill: 9_960,
  /** No bandwidth: at the memory's 3.3e6 this bound would hide what tells configs apart. */
  memory: 10_490_000,
  /** What one multiprocessor draws from memory, however many loads it has in flight. */
  memoryShare: 43_930,
  launch: 1.964,
} as const

/** Where single shapes of tiles differ from their kind: factors of a K block's and a tile's time. */
const shapes: Readonly<Record<string, { readonly step?: number; readonly tile?: number }>> = {
  '128x112': { step: 0.98, tile: 1.22 },
  '128x128': { step: 0.91, tile: 1.22 },
  '128x144': { step: 0.91, tile: 1.2 },
  '128x160': { step: 1.01 },
  '128x176': { step: 1.05 },
  '128x192 right': { step: 0.91, tile: 0.82 },
  '128x64': { step: 0.87 },
  '128x80': { step: 1.08 },
  '128x96': { step: 1.09 },
  '192x128': { step: 0.83 },
  '256x128': { step: 0.82, tile: 1.22 },
  '256x128 left': { tile: 1.18 },
  '256x96': { step: 1.07 },
  '64x32 twice': { step: 0.86 },
  '64x48': { step: 1.22 },
  '64x64': { step: 0.96 },
  'swapped 64x16 twice': { step: 0.95 },
  'swapped 64x24 twice': { step: 1.19 },
  'swapped 64x64 twice': { step: 1.02 },
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
      memoryTime(config, extents, schedule, device),
    )
    const handOver = schedule.streamedTiles > 0 ? handOverTime(config, schedule) : 0
    return { streaming, schedule, microseconds: figures.launch + busy + handOver }
  })
  return ways.reduce((best, way) => (way.microseconds < best.microseconds ? way : best))
}

type Kind = keyof typeof figures.slack

function kindOf(config: Sm90Config): Kind {
  if (config.accumulators === 2) {
    if (config.swapped) return 'tokens'
    return config.blockLeft === 64 ? 'narrow' : 'alternating'
  }
  if (config.blockLeft === 64) return 'half'
  if (config.rowBlocks === 2) return 'large'
  return config.blockLeft === 192 ? 'tall' : 'plain'
}

function factorsOf(config: Sm90Config): { readonly step: number; readonly tile: number } {
  const { blockLeft, blockRight, multicast, blocksPerSm, swapped } = config
  if (kindOf(config) === 'alternating') return { step: 1, tile: 1 }
  const cluster = multicast === 'none' ? '' : ` ${multicast}`
  const twice = blocksPerSm === 2 ? ' twice' : ''
  const name = `${swapped ? 'swapped ' : ''}${blockLeft}x${blockRight}${cluster}${twice}`
  return { step: 1, tile: 1, ...shapes[name] }
}

/** Of one K block of one tile. */
export function stepTime(config: Sm90Config): number {
  const kind = kindOf(config)
  const products = config.blockLeft * config.blockRight * BLOCK
  const math = (products / figures.multiplyAdds) * figures.slack[kind]
  const entering = figures.fill * (config.multicast === 'none' ? 1 : figures.sharedFill)
  const fill = ((config.blockLeft + config.blockRight) * BLOCK) / entering
  const overlapped = Math.max(math, fill) + figures.unhidden * Math.min(math, fill)
  const latency = figures.latency[kind] / Math.max(1, mathWarpGroups(config) - 1)
  return Math.max(overlapped, latency) * factorsOf(config).step
}

/** Of one tile besides its K blocks. */
export function tileTime(config: Sm90Config): number {
  const words = (config.out === 'bf16' ? 1 : 2) * (config.accumulate ? 2 : 1)
  const outputs = config.blockLeft * config.blockRight * words
  const time = figures.tileFixed + (figures.tileOutputs * outputs) / (128 * 128)
  return time * factorsOf(config).tile
}

function workTime(
  config: Sm90Config,
  extents: GemmExtents,
  schedule: Sm90Schedule,
  device: Sm90Device,
): number {
  const { leftTiles, rightTiles, workers, streamedTiles } = schedule
  const kBlocks = ceilDiv(extents.k, BLOCK)
  const whole = ceilDiv(leftTiles * rightTiles - streamedTiles, workers)
  const steps = whole * kBlocks + ceilDiv(streamedTiles * kBlocks, workers)
  const stores = whole + ceilDiv(streamedTiles, workers)
  // Blocks that share a multiprocessor share its speed.
  const sharing = Math.max(1, schedule.grid / device.multiprocessors)
  const time = (steps * stepTime(config) + stores * tileTime(config)) * sharing
  return time
}

/** The owner of a tile waits for everyone's partial sums and reads them one after another. */
function handOverTime(
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
  { multiprocessors }: Sm90Device,
): number {
  const element = (config.out === 'bf16' ? 2 : 4) * (config.accumulate ? 2 : 1)
  const bytes = m * k + n * k + m * n * element
  // Every tile of tokens draws the weights anew, if only from L2.
  const drawn = config.swapped ? bytes + (rightTiles - 1) * n * k : bytes
  const drawing = Math.max(1, Math.min(grid, multiprocessors))
  return Math.max(bytes / figures.memory, drawn / (drawing * figures.memoryShare))
}
