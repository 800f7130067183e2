import { dtypeBytes } from '../dtype.js'
import { BLOCK } from '../recipe.js'
import { ceilDiv, roundUp } from '../shape.js'
import type { Sm90Config } from './config.js'

/** Rows that one wgmma has on its left side. */
export const WGMMA_ROWS = 64

/** Shared memory that a block of a Hopper multiprocessor may have, and what the multiprocessor has. */
export const SM90_SHARED_BYTES: { readonly block: number; readonly multiprocessor: number } = {
  block: 227 * 1024,
  multiprocessor: 228 * 1024,
}

/** What the driver keeps of a block's shared memory for itself. */
const RESERVED_BYTES = 1024

export function mathWarpGroups(config: Sm90Config): number {
  return config.blockLeft / (WGMMA_ROWS * config.rowBlocks)
}

/** Threads of a block: the math warp groups and the producer's. */
export function sm90Threads(config: Sm90Config): number {
  return 128 * (mathWarpGroups(config) + 1)
}

export function clusterSize(config: Sm90Config): 1 | 2 {
  return config.multicast === 'none' ? 1 : 2
}

/** Rows of the operands that a whole cluster's tile covers. */
export function clusterTile(config: Sm90Config): { readonly left: number; readonly right: number } {
  const size = clusterSize(config)
  return {
    left: config.blockLeft * (config.multicast === 'right' ? size : 1),
    right: config.blockRight * (config.multicast === 'left' ? size : 1),
  }
}

/** True where D goes through shared memory and the copy engine, false where registers store it. */
export function isStaged(config: Sm90Config): boolean {
  const { out, accumulate, swapped, layout, blockRight } = config
  // Of slices of K, wide tiles have no registers for both ways of storing, and they need both.
  const fits = layout === undefined || (layout === 'k-grouped' && blockRight < 192)
  if (out === 'f32') return fits && !swapped
  return !accumulate && !(swapped && layout !== undefined)
}

/** Of the ring through which a grouped kernel hands on its tiles: four jobs and their barriers. */
const JOB_RING_BYTES = 4 * (64 + 2 * 8)

/**
 * `sizeof(SharedStorage<Config>)` of `kernels/cuda/pipeline/storage.cuh`; the kernel refuses to
 * compile with any other number.
 */
export function sm90SharedBytes(config: Sm90Config): number {
  const { blockLeft, blockRight, stages } = config
  const line = 128 // a part that a config does not use keeps one line
  const scales = (rows: number, scaling: string): number =>
    roundUp(4 * (scaling === 'vectors' ? rows : 1), line)
  const stage =
    (blockLeft + blockRight) * BLOCK +
    scales(blockLeft, config.leftScaling) +
    scales(blockRight, config.rightScaling) +
    2 * 8 // the full and the empty barrier
  const out = isStaged(config) ? blockLeft * blockRight * dtypeBytes(config.out) : line
  const jobs = config.layout === undefined ? 0 : JOB_RING_BYTES
  return roundUp(stages * stage + out + jobs, 1024)
}

/** Stages that fit when `blocksPerSm` blocks share a multiprocessor. */
export function stagesThatFit(config: Omit<Sm90Config, 'stages'>, most: number): number {
  const share = SM90_SHARED_BYTES.multiprocessor / config.blocksPerSm - RESERVED_BYTES
  let stages = most
  while (stages > 0 && sm90SharedBytes({ ...config, stages }) > share) stages--
  return stages
}

/** 128-row blocks of the right operand that one tile can touch. */
export function rightBlocksOfTile(config: Sm90Config): number {
  const grain = greatestCommonDivisor(config.blockRight, BLOCK)
  return ceilDiv(BLOCK - grain + config.blockRight, BLOCK)
}

/** Columns of the panels that a staged tile is stored in: one swizzle span. */
export function panelColumns(config: Sm90Config): number {
  const span = 128 / dtypeBytes(config.out)
  return config.swapped ? WGMMA_ROWS : greatestCommonDivisor(config.blockRight, span)
}

export function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}
