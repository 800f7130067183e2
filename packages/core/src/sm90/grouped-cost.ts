import { BLOCK } from '../recipe.js'
import { ceilDiv } from '../shape.js'
import type { Sm90Config } from './config.js'
import {
  figures,
  handOverTime,
  type Sm90Cost,
  type Sm90Device,
  stepTime,
  tileTime,
} from './cost.js'
import {
  canStreamGroups,
  type GroupedExtents,
  groupedTile,
  sm90GroupedSchedule,
} from './grouped-schedule.js'
import type { Sm90Schedule, Sm90Streaming } from './schedule.js'

/** Sizes of groups over the expected one: routing is never even. */
const SPREAD = [0.6, 0.8, 0.9, 1, 1.1, 1.2, 1.4] as const

/** From the first block's start to its first tile: group data has to be read and summed. */
const FIND_TILES = 1

/** Share of the shorter of work and memory traffic that the longer one does not hide. */
const UNHIDDEN = 0.05

type Work = {
  /** Groups with any rows at all, and the rows of one of those. */
  readonly active: number
  readonly size: number
  readonly tokenTiles: number
  readonly tiles: number
  readonly kBlocks: number
}

/** What the GPU will find, as far as the expectation goes. */
function expectedWork(config: Sm90Config, extents: GroupedExtents): Work {
  const { groups, expected, n } = extents
  const tile = groupedTile(config)
  const weightTiles = ceilDiv(n, tile.weights)
  if (config.layout === 'k-grouped') {
    const tokenTiles = ceilDiv(extents.m, tile.tokens)
    const tiles = groups * tokenTiles * weightTiles
    const kBlocks = Math.max(1, ceilDiv(expected, BLOCK))
    return { active: groups, size: extents.m, tokenTiles, tiles, kBlocks }
  }
  // With few rows in all, many groups have none.
  const active = Math.max(1, groups * (1 - Math.exp(-expected)))
  const size = Math.max(1, (groups * expected) / active)
  const counts = SPREAD.map((factor) =>
    ceilDiv(Math.max(1, Math.round(size * factor)), tile.tokens),
  )
  const tokenTiles = counts.reduce((sum, count) => sum + count, 0) / SPREAD.length
  const tiles = active * tokenTiles * weightTiles
  return { active, size, tokenTiles, tiles, kBlocks: ceilDiv(extents.k, BLOCK) }
}

/** The cheapest way of dealing the tiles of a grouped product under this config. */
export function sm90GroupedCost(
  config: Sm90Config,
  extents: GroupedExtents,
  device: Sm90Device,
): Sm90Cost {
  const work = expectedWork(config, extents)
  const possible: readonly Sm90Streaming[] = canStreamGroups(config) ? ['whole', 'tail'] : ['whole']
  const ways = possible.map((streaming) => {
    const schedule = sm90GroupedSchedule(config, extents, device.multiprocessors, streaming)
    const times = [
      workTime(config, work, schedule, streaming, device),
      memoryTime(config, extents, work, schedule),
    ]
    const busy = Math.max(...times) + UNHIDDEN * Math.min(...times)
    const shared = streaming === 'whole' ? 0 : handOver(config, work, schedule)
    return { streaming, schedule, microseconds: figures.launch + FIND_TILES + busy + shared }
  })
  return ways.reduce((best, way) => (way.microseconds < best.microseconds ? way : best))
}

function workTime(
  config: Sm90Config,
  { tiles, kBlocks }: Work,
  { workers, grid }: Sm90Schedule,
  streaming: Sm90Streaming,
  { multiprocessors }: Sm90Device,
): number {
  const share = Math.max(1, tiles / Math.max(1, workers))
  const rounds = streaming === 'whole' ? Math.ceil(share) : share
  const stores = Math.ceil(share)
  const sharing = Math.max(1, grid / multiprocessors)
  return (rounds * kBlocks * stepTime(config) + stores * tileTime(config)) * sharing
}

function handOver(config: Sm90Config, { tiles }: Work, { workers }: Sm90Schedule): number {
  const streamedTiles = Math.max(1, Math.min(tiles, workers + (tiles % workers)))
  return handOverTime(config, { streamedTiles, workers })
}

function memoryTime(
  config: Sm90Config,
  { m, n, k, groups }: GroupedExtents,
  { active, size, tokenTiles }: Work,
  { grid }: Sm90Schedule,
): number {
  const element = (config.out === 'bf16' ? 2 : 4) * (config.accumulate ? 2 : 1)
  if (config.layout === 'k-grouped') {
    return ((m + n) * k + groups * m * n * element) / figures.memory
  }
  const weights = active * n * k
  const bytes = weights + active * size * (k + n * element)
  // Every tile of tokens draws the weights anew, if only from L2.
  const drawn = config.swapped ? bytes + (tokenTiles - 1) * weights : bytes
  return Math.max(bytes / figures.memory, drawn / (Math.max(1, grid) * figures.memoryShare))
}
