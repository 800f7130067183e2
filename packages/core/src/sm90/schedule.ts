import { BLOCK } from '../recipe.js'
import { ceilDiv } from '../shape.js'
import type { Sm90Config } from './config.js'
import { type Divisor, divisor } from './divisor.js'
import { clusterSize, clusterTile, mathWarpGroups } from './tile.js'

/** Extents of D = A × Bᵀ. */
export type GemmExtents = { readonly m: number; readonly n: number; readonly k: number }

/**
 * How tiles are dealt. `whole`: each tile to one worker. `tail`: the last, incomplete round of tiles
 * and the one before it are shared along K. `all`: every tile is shared along K.
 */
export type Sm90Streaming = 'whole' | 'tail' | 'all'

/** The run-time numbers of a launch; `kernels/cuda/scheduler` says what they do. */
export type Sm90Schedule = {
  readonly leftTiles: number
  readonly rightTiles: number
  readonly band: number
  /** Clusters in the grid. */
  readonly workers: number
  /** Blocks in the grid. */
  readonly grid: number
  readonly streamedTiles: number
  /** Bytes for partial sums of streamed tiles. */
  readonly partialBytes: number
  /** Bytes for their flags: zero before the first launch, left zero by every launch. */
  readonly flagBytes: number
}

/** Extents along the left and the right operand. */
export function operandExtents(
  config: Sm90Config,
  { m, n }: GemmExtents,
): { readonly left: number; readonly right: number } {
  return config.swapped ? { left: n, right: m } : { left: m, right: n }
}

/** Rows of the left operand that are walked together, so that both operands' rows meet in L2. */
const BAND_ROWS = 2048

export function sm90Schedule(
  config: Sm90Config,
  extents: GemmExtents,
  multiprocessors: number,
  streaming: Sm90Streaming,
): Sm90Schedule {
  const tile = clusterTile(config)
  const { left, right } = operandExtents(config, extents)
  const leftTiles = ceilDiv(left, tile.left)
  const rightTiles = ceilDiv(right, tile.right)
  const tiles = leftTiles * rightTiles
  const kBlocks = ceilDiv(extents.k, BLOCK)
  // Whole tiles gain from two blocks on a multiprocessor; streamed ones would only be cut finer.
  const blocks = multiprocessors * (streaming === 'whole' ? config.blocksPerSm : 1)
  const all = Math.max(1, Math.floor(blocks / clusterSize(config)))
  const streamedTiles = streamedOf(streaming, tiles, all, kBlocks)
  const workers = Math.min(all, streamedTiles > 0 ? tiles * kBlocks : tiles)
  const slots = streamedTiles > 0 ? workers * clusterSize(config) : 0
  return {
    leftTiles,
    rightTiles,
    band: Math.max(1, Math.min(leftTiles, Math.floor(BAND_ROWS / tile.left))),
    workers,
    grid: workers * clusterSize(config),
    streamedTiles,
    partialBytes: slots * config.blockLeft * config.blockRight * 4,
    flagBytes: slots * mathWarpGroups(config) * 4,
  }
}

/** What saves the kernel its divisions, for a product with tiles of `kBlocks` blocks of K. */
export type Sm90Divisions = {
  readonly bandTiles: Divisor
  readonly bandHeight: Divisor
  readonly lastHeight: Divisor
  readonly kBlocks: Divisor
  /** K blocks of streamed tiles per worker. */
  readonly share: number
  /** Workers whose share is one longer. */
  readonly longerShares: number
}

export function sm90Divisions(schedule: Sm90Schedule, k: number): Sm90Divisions {
  const { leftTiles, rightTiles, band, workers, streamedTiles } = schedule
  const kBlocks = ceilDiv(k, BLOCK)
  const units = streamedTiles * kBlocks
  return {
    bandTiles: divisor(band * rightTiles),
    bandHeight: divisor(band),
    lastHeight: divisor(leftTiles % band || band),
    kBlocks: divisor(kBlocks),
    share: Math.floor(units / workers),
    longerShares: units % workers,
  }
}

/** The divisions as the kernel's arguments have them, in their order. */
export function sm90DivisionNumbers(divisions: Sm90Divisions): readonly number[] {
  const { bandTiles, bandHeight, lastHeight, kBlocks, share, longerShares } = divisions
  const divisors = [bandTiles, bandHeight, lastHeight, kBlocks]
  return [...divisors.flatMap(({ multiplier, shift }) => [multiplier, shift]), share, longerShares]
}

function streamedOf(
  streaming: Sm90Streaming,
  tiles: number,
  workers: number,
  kBlocks: number,
): number {
  const tail = tiles % workers === 0 ? 0 : (tiles % workers) + workers
  const streamed = streaming === 'whole' ? 0 : streaming === 'all' ? tiles : Math.min(tiles, tail)
  // The kernel divides streamed K blocks as numbers below 2^31.
  return streamed * kBlocks < 2 ** 31 ? streamed : 0
}
