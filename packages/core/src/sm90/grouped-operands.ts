import { dtypeBytes } from '../dtype.js'
import { ShapeError } from '../errors.js'
import { BLOCK } from '../recipe.js'
import { ceilDiv, roundUp } from '../shape.js'
import type { Sm90Config } from './config.js'
import type { GroupedExtents } from './grouped-schedule.js'
import { requireSm90Extents, type Sm90TensorMaps, type TensorMapSpec } from './operands.js'
import { clusterSize, isStaged, panelColumns, WGMMA_ROWS } from './tile.js'

/** Rows that the kernels count in 32 bits. */
const MOST_ROWS = 2 ** 31

/** Shapes that the copy engine and the kernels can address. @throws {ShapeError} */
export function requireSm90Groups(config: Pick<Sm90Config, 'layout'>, at: GroupedExtents): void {
  requireSm90Extents(at)
  const slabs = config.layout === 'masked' ? at.groups * at.m : at.m
  const rows = Math.max(
    slabs,
    at.groups * at.n,
    config.layout === 'k-grouped' ? at.groups * at.m : 0,
  )
  if (rows < MOST_ROWS) return
  throw new ShapeError('The GPU cannot multiply so many groups', {
    given: `${at.groups} groups, M ${at.m}, N ${at.n}`,
    allowed: 'fewer than 2^31 rows of all groups together, of A, of B and of D',
  })
}

/** Bytes from one row to the next. */
export type GroupedRowBytes = {
  readonly a: number
  readonly b: number
  readonly out: number
  /** Of the scales of k-grouped operands, and how many rows those have. */
  readonly scales?: { readonly a: number; readonly b: number; readonly rows: number }
}

/**
 * The tensor maps of a grouped product. The rows of all groups are one matrix to the copy engine:
 * the tokens', [G · N, K] of the weights, and D, of which only full tiles go that way.
 */
export function sm90GroupedMaps(
  config: Sm90Config,
  extents: GroupedExtents,
  rowBytes: GroupedRowBytes,
): Sm90TensorMaps {
  const { groups, m, n, k } = extents
  const isSliced = config.layout === 'k-grouped'
  const tokens = config.layout === 'masked' ? groups * m : m
  const weights = isSliced ? n : groups * n
  const share = (side: 'left' | 'right'): number =>
    config.multicast === side ? clusterSize(config) : 1
  const values = (rows: number, bytes: number, boxRows: number): TensorMapSpec => ({
    dtype: 'u8',
    extents: [k, rows],
    rowBytes: bytes,
    box: [BLOCK, boxRows],
    swizzle: 128,
  })
  const [left, right] = [config.blockLeft / share('left'), config.blockRight / share('right')]
  const slabs = config.layout === 'masked' ? groups : 1
  const scaleRows = rowBytes.scales?.rows ?? slabs * ceilDiv(k, BLOCK)
  const scales = (rows: number, bytes: number | undefined, boxRows: number): TensorMapSpec => {
    const padded = bytes === undefined ? roundUp(rows, 4) : rows
    return {
      dtype: 'f32',
      extents: [padded, scaleRows],
      rowBytes: bytes ?? 4 * padded,
      box: [boxRows, 1],
      swizzle: 0,
    }
  }
  const tokenBox = config.swapped ? config.blockRight : config.blockLeft
  const tokenScales = scales(m, rowBytes.scales?.a, tokenBox)
  const rows = isSliced ? groups * m : tokens
  const staged = isStaged(config) ? fullTiles(config, n, rows, rowBytes.out) : undefined
  if (config.swapped) {
    return {
      left: values(weights, rowBytes.b, left),
      right: values(tokens, rowBytes.a, right),
      leftScales: undefined,
      rightScales: tokenScales,
      out: staged,
    }
  }
  return {
    left: values(tokens, rowBytes.a, left),
    right: values(weights, rowBytes.b, right),
    leftScales: tokenScales,
    rightScales: isSliced ? scales(n, rowBytes.scales?.b, config.blockRight) : undefined,
    out: staged,
  }
}

function fullTiles(config: Sm90Config, n: number, rows: number, rowBytes: number): TensorMapSpec {
  const columns = panelColumns(config)
  return {
    dtype: config.out,
    extents: [n, rows],
    rowBytes,
    box: [columns, WGMMA_ROWS],
    swizzle: (dtypeBytes(config.out) * columns) as 32 | 64 | 128,
  }
}
