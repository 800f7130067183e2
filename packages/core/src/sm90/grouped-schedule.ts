import type { GroupLayout } from '../groups.js'
import { BLOCK } from '../recipe.js'
import { ceilDiv } from '../shape.js'
import type { Sm90Config } from './config.js'
import type { Sm90Schedule, Sm90Streaming } from './schedule.js'
import { clusterSize, clusterTile, mathWarpGroups } from './tile.js'

/** What the host knows of a grouped product. */
export type GroupedExtents = {
  readonly groups: number
  /** Rows of A and D: of all groups together, or of one group in the masked layout. */
  readonly m: number
  readonly n: number
  /** K; of all groups together in the k-grouped layout. */
  readonly k: number
  /** Rows that a group is expected to have, or columns of K. */
  readonly expected: number
}

/** Codes of the kernel's `Streaming`. */
const STREAMING: Readonly<Record<Sm90Streaming, number>> = { whole: 0, tail: 1, all: 2 }

/** Tokens that a cluster's tile covers, and rows of the weights. */
export function groupedTile(config: Sm90Config): { tokens: number; weights: number } {
  const { left, right } = clusterTile(config)
  return config.swapped ? { tokens: right, weights: left } : { tokens: left, weights: right }
}

/** Whether tiles of a config can be shared along K: slices of it cannot. */
export function canStreamGroups({ layout }: Sm90Config): boolean {
  return layout !== 'k-grouped'
}

/** Rows of tokens that are walked together, so that they and the weights meet in L2. */
const BAND_ROWS = 2048

/**
 * The run-time numbers of a launch. How many tiles there are only the GPU knows: `streamedTiles` is
 * the code of `streaming`, and the tiles along the tokens are 0 where the groups' sizes decide.
 */
export function sm90GroupedSchedule(
  config: Sm90Config,
  extents: GroupedExtents,
  multiprocessors: number,
  streaming: Sm90Streaming,
): Sm90Schedule {
  const tile = groupedTile(config)
  const weightTiles = ceilDiv(extents.n, tile.weights)
  const tokenTiles = config.layout === 'k-grouped' ? ceilDiv(extents.m, tile.tokens) : 0
  const blocks = multiprocessors * (streaming === 'whole' ? config.blocksPerSm : 1)
  const all = Math.max(1, Math.floor(blocks / clusterSize(config)))
  const mostTiles = mostTokenTiles(config, extents) * weightTiles
  const kBlocks = ceilDiv(extents.k, BLOCK)
  const workers = Math.min(all, streaming === 'whole' ? mostTiles : mostTiles * kBlocks)
  const slots = streaming === 'whole' ? 0 : workers * clusterSize(config)
  return {
    leftTiles: config.swapped ? weightTiles : tokenTiles,
    rightTiles: config.swapped ? tokenTiles : weightTiles,
    band: bandOf(config),
    workers,
    grid: workers * clusterSize(config),
    streamedTiles: STREAMING[streaming],
    partialBytes: slots * config.blockLeft * config.blockRight * 4,
    flagBytes: slots * mathWarpGroups(config) * 4,
  }
}

function bandOf(config: Sm90Config): number {
  // Swapped, all token tiles of a few weights come at once: only the first reads from memory.
  if (config.swapped) return 1
  return Math.max(1, Math.floor(BAND_ROWS / groupedTile(config).tokens))
}

/** The most tiles of tokens that groups of any sizes can have. */
function mostTokenTiles(config: Sm90Config, { groups, m }: GroupedExtents): number {
  const { tokens } = groupedTile(config)
  const layout = config.layout as GroupLayout
  if (layout === 'packed') return ceilDiv(m, tokens) + Math.min(groups, m)
  // Every 128 contiguous rows may be another group's.
  if (layout === 'contiguous') return ceilDiv(m, BLOCK) * ceilDiv(BLOCK, tokens)
  return ceilDiv(m, tokens) * groups
}
