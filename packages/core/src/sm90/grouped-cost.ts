import { BLOCK } from '../recipe.js'
import { ceilDiv } from '../shape.js'
import type { Sm90Config } from './config.js'
import { figures, type Sm90Cost, type Sm90Device } from './cost.js'
import { cheapestWay, groupedFigures, tileFigures } from './grouped-figures.js'
import {
  canStreamGroups,
  type GroupedExtents,
  groupedTile,
  sm90GroupedSchedule,
} from './grouped-schedule.js'
import type { Sm90Schedule, Sm90Streaming } from './schedule.js'
import { mathWarpGroups } from './tile.js'

/** Sizes of groups over the expected one: routing is never even. */
const SPREAD = [0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3] as const

/** From so many groups on, one draw of their sizes is like the next. */
const MANY_GROUPS = 32

/** What the GPU may find. */
type Work = {
  readonly tiles: number
  /** The same in units of the cost of a full tile. */
  readonly fullTiles: number
  /** Tiles of tokens of a group, at most. */
  readonly tokenTiles: number
  readonly kBlocks: number
}

/** The cheapest way of dealing the tiles of a grouped product under this config. */
export function sm90GroupedCost(
  config: Sm90Config,
  extents: GroupedExtents,
  device: Sm90Device,
): Sm90Cost {
  const works = possibleWork(config, extents)
  const possible: readonly Sm90Streaming[] = canStreamGroups(config) ? ['whole', 'tail'] : ['whole']
  const ways = possible.map((streaming) => {
    const schedule = sm90GroupedSchedule(config, extents, device.multiprocessors, streaming)
    const times = works.map((work) => {
      const busy = workTime(config, work, schedule, streaming, device)
      const { launch, overlap } = groupedFigures
      const memory = memoryTime(config, extents, work, schedule)
      return launch + (busy ** overlap + memory ** overlap) ** (1 / overlap)
    })
    const mean = times.reduce((sum, time) => sum + time, 0) / times.length
    return { streaming, schedule, microseconds: mean }
  })
  return cheapestWay(ways)
}

/** Draws of what the GPU will find, as far as the expectation goes. */
function possibleWork(config: Sm90Config, extents: GroupedExtents): readonly Work[] {
  const tile = groupedTile(config)
  const weightTiles = ceilDiv(extents.n, tile.weights)
  if (config.layout === 'k-grouped') {
    const tokenTiles = ceilDiv(extents.m, tile.tokens)
    const tiles = extents.groups * tokenTiles * weightTiles
    const kBlocks = Math.max(1, ceilDiv(extents.expected, BLOCK))
    return [{ tiles, fullTiles: tiles, tokenTiles, kBlocks }]
  }
  const { active, size } = activeGroups(config.layout, extents)
  const draws = active < MANY_GROUPS ? SPREAD.length : 1
  return Array.from({ length: draws }, (_, draw) => {
    const counts = Array.from({ length: Math.min(Math.ceil(active), MANY_GROUPS) }, (_, group) => {
      const factor = SPREAD[(draw + 3 * group) % SPREAD.length] as number
      return tokenTilesOf(config, Math.max(1, Math.round(size * factor)))
    })
    const total = (name: 'tiles' | 'full'): number =>
      (counts.reduce((sum, count) => sum + count[name], 0) / counts.length) * active * weightTiles
    return {
      ...{ tiles: total('tiles'), fullTiles: total('full'), kBlocks: ceilDiv(extents.k, BLOCK) },
      tokenTiles: Math.max(...counts.map((count) => count.tiles)),
    }
  })
}

/** With few rows in all, many groups have none: those that have any, and how many. */
function activeGroups(
  layout: Sm90Config['layout'],
  { groups, expected: rows }: GroupedExtents,
): { active: number; size: number } {
  // Contiguous rows are counted with their padding, half a block for each group.
  const expected = layout === 'contiguous' ? Math.max(rows / 2, rows - BLOCK / 2) : rows
  const active = Math.max(1, groups * (1 - Math.exp(-expected)))
  return { active, size: Math.max(1, (groups * expected) / active) }
}

/** Tiles of tokens of a group of so many rows, as they are and in units of full ones. */
function tokenTilesOf(config: Sm90Config, rows: number): { tiles: number; full: number } {
  const { tokens } = groupedTile(config)
  const padded = config.layout === 'contiguous' ? ceilDiv(rows, BLOCK) * BLOCK : rows
  const tiles = ceilDiv(padded, tokens)
  if (config.swapped) return { tiles, full: tiles }
  const grain = tokens / mathWarpGroups(config)
  const whole = Math.floor(rows / tokens)
  const share = (ceilDiv(rows - whole * tokens, grain) * grain) / tokens
  const { idleShare, emptyShare } = groupedFigures
  const partial = share === 0 ? 0 : idleShare + (1 - idleShare) * share
  const empty = tiles - whole - (share === 0 ? 0 : 1)
  return { tiles, full: whole + partial + empty * emptyShare }
}

function workTime(
  config: Sm90Config,
  { tiles, fullTiles, kBlocks }: Work,
  { workers, grid }: Sm90Schedule,
  streaming: Sm90Streaming,
  { multiprocessors }: Sm90Device,
): number {
  const { step, tile } = tileFigures(config)
  const share = Math.max(1, tiles / Math.max(1, workers))
  const rounds = Math.ceil(share)
  // Tiles that are shared along K are dealt by their K blocks, however many rows they have.
  const steps = kBlocks * (streaming === 'whole' ? (rounds * fullTiles) / tiles : tiles / workers)
  const sharing = Math.max(1, grid / multiprocessors)
  const loss = streaming === 'whole' ? 1 : groupedFigures.streamed
  const time = (Math.max(1, steps) * step * loss + rounds * tile) * sharing
  const { alone, shared, after } = groupedFigures.throttle
  const isLong = config.layout === 'k-grouped' // whose figures are of long products
  const throttle = isLong ? 0 : config.multicast === 'none' ? alone : shared
  const handOver = streaming === 'whole' ? 0 : handOverTime(config, tiles, workers)
  return time * (1 + (throttle * time) / (time + after)) + handOver
}

/** The owner of a tile waits for everyone's partial sums and reads them one after another. */
function handOverTime(config: Sm90Config, tiles: number, workers: number): number {
  const { handOver, partials } = groupedFigures
  const streamed = Math.max(1, Math.min(tiles, workers + (tiles % workers)))
  const sums = Math.max(1, ceilDiv(workers, streamed) - 1)
  // Those of a few tokens are small, and other tiles go on meanwhile.
  return (
    handOver / (config.swapped ? 4 : 1) +
    (sums * partials * config.blockLeft * config.blockRight) / (BLOCK * BLOCK)
  )
}

function memoryTime(
  config: Sm90Config,
  extents: GroupedExtents,
  { tokenTiles }: Work,
  { grid }: Sm90Schedule,
): number {
  const { m, n, k, groups } = extents
  const { memory } = groupedFigures
  const element = (config.out === 'bf16' ? 2 : 4) * (config.accumulate ? 2 : 1)
  if (config.layout === 'k-grouped') {
    return ((m + n) * k + groups * m * n * element) / memory
  }
  const { active, size } = activeGroups(config.layout, extents)
  const weights = active * n * k
  const bytes = weights + active * size * (k + n * element)
  // Every tile of tokens draws the weights anew, if only from L2.
  const drawn = config.swapped ? bytes + (tokenTiles - 1) * weights : bytes
  return Math.max(bytes / memory, drawn / (Math.max(1, grid) * figures.memoryShare))
}
