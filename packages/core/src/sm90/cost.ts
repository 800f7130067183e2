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
 * Microseconds and bytes per microsecond, fitted to the times of 2,705 launches on one H100 (132
 * multiprocessors; docs/benchmarks/h100-sweep.jsonl) so that what the model chooses is close to the
 * fastest: 1.6 % slower in the mean, 10 % at worst. Single times are off by 20 %.
 */
export const figures = {
  /** Multiply-adds of one multiprocessor per microsecond, operands at hand: 4096 per clock at 1755 MHz. */
  multiplyAdds: 7_188_480,
  /** Time of the products with their promotion over that of the products alone, by kind of tile. */
  slack: {
    tokens: 5.455,
    half: 1.921,
    narrow: 2.035,
    plain: 1.217,
    alternating: 1.101,
    large: 1.116,
    tall: 1.138,
  },
  /** From full stage to empty stage when nothing else limits. */
  latency: {
    tokens: 0.03399,
    half: 0.2163,
    narrow: 0.191,
    plain: 0.226,
    alternating: 0.1456,
    large: 0.08589,
    tall: 1.138,
  },
  /** What enters one multiprocessor's shared memory, and its change where a cluster shares loads. */
  fill: 103_000,
  sharedFill: 1.174,
  /** Share of the shorter of products and loads that the longer one does not hide. */
  unhidden: 0.1965,
  /** Of a tile besides its K blocks: fixed, and for 128 × 128 outputs of bf16. */
  tileFixed: 0.4816,
  tileOutputs: 0.9003,
  /** Handing over a partial sum: fixed, and bytes that the owner reads. */
  handOver: 2.858,
  partialFill: 12_410,
  /** No bandwidth: at the memory's 3.3e6 this bound would hide what tells configs apart. */
  memory: 25_830_000,
  /** What one multiprocessor draws from memory, however many loads it has in flight. */
  memoryShare: 44_820,
  launch: 2.304,
} as const

/** Where single shapes of tiles differ from their kind: factors of a K block's and a tile's time. */
const shapes: Readonly<Record<string, { readonly step?: number; readonly tile?: number }>> = {
  '128x112': { step: 1.08 },
  '128x112 alternating': { step: 0.96, tile: 0.92 },
  '128x128': { step: 0.93, tile: 0.82 },
  '128x128 alternating': { tile: 0.82 },
  '128x128 right': { step: 1.01 },
  '128x144': { step: 1.03 },
  '128x176': { step: 1.01 },
  '128x192 right': { step: 0.84, tile: 0.88 },
  '128x64 alternating': { step: 0.85 },
  '128x80': { step: 1.02 },
  '128x96': { step: 1.09 },
  '128x96 alternating': { step: 1.09 },
  '256x128': { step: 0.88, tile: 1.22 },
  '256x128 left': { step: 1.08, tile: 1.15 },
  '256x64': { step: 0.89 },
  '256x96': { step: 1.07 },
  '64x128 alternating': { step: 0.82, tile: 0.82 },
  '64x32 alternating': { step: 0.87 },
  '64x48 alternating': { step: 1.22 },
  '64x64 alternating': { tile: 1.22 },
  '64x96 alternating': { step: 1.2 },
  'swapped 64x16 twice': { step: 0.89, tile: 1.22 },
  'swapped 64x24 twice': { step: 1.2 },
  'swapped 64x64 twice': { step: 1.05 },
  'swapped 64x8 twice': { tile: 0.82 },
}

/**
 * The same where columns have scales of their own, which promotion takes one by one: set so that
 * the choice among some 300 measured launches of weight gradients, added to D in f32, is at most 2 %
 * slower than the fastest. Times of long products are up to a fifth longer than the model's.
 */
const gradientShapes: Readonly<Record<string, { readonly step: number; readonly tile: number }>> = {
  '64x64 twice': { step: 1.05, tile: 0.55 },
  '64x128': { step: 1.25, tile: 0.88 },
  '128x64': { step: 1.36, tile: 0.88 },
  '128x80': { step: 1.26, tile: 0.88 },
  '128x96': { step: 1.22, tile: 0.93 },
  '128x96 alternating': { step: 1.14, tile: 1.08 },
  '128x112': { step: 1.27, tile: 0.84 },
  '128x128': { step: 1.16, tile: 0.9 },
  '128x128 right': { step: 1.27, tile: 0.87 },
  '128x144': { step: 1.28, tile: 0.88 },
  '128x160': { step: 1.55, tile: 0.9 },
  '128x192 right': { step: 1.59, tile: 1.02 },
  '192x96': { step: 1.18, tile: 0.84 },
  '192x112': { step: 1.22, tile: 0.85 },
}

const unmeasuredGradient = { step: 1.6, tile: 1 } as const

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
  const { blockLeft, blockRight, multicast, accumulators, blocksPerSm } = config
  const { swapped, rightScaling } = config
  const cluster = multicast === 'none' ? '' : ` ${multicast}`
  const alternating = accumulators === 2 && !swapped ? ' alternating' : ''
  const twice = blocksPerSm === 2 ? ' twice' : ''
  const name = `${swapped ? 'swapped ' : ''}${blockLeft}x${blockRight}${cluster}${alternating}${twice}`
  const isGradient = rightScaling === 'vectors' && !swapped
  if (isGradient) return gradientShapes[name] ?? unmeasuredGradient
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
