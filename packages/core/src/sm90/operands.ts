import { dtypeBytes } from '../dtype.js'
import { ShapeError } from '../errors.js'
import { BLOCK } from '../recipe.js'
import { ceilDiv, roundUp } from '../shape.js'
import type { Sm90Config } from './config.js'
import { type GemmExtents, operandExtents } from './schedule.js'
import { clusterSize, isStaged, panelColumns, WGMMA_ROWS } from './tile.js'

/** A two-dimensional tensor map: what the driver is asked to encode, less the address. */
export type TensorMapSpec = {
  readonly dtype: 'u8' | 'f32' | 'bf16'
  /** Elements along the contiguous dimension, then rows. */
  readonly extents: readonly [number, number]
  readonly rowBytes: number
  readonly box: readonly [number, number]
  /** Bytes of the shared-memory swizzle; 0 for none. */
  readonly swizzle: 0 | 32 | 64 | 128
}

/** The tensor maps of `GemmArguments`; undefined where the kernel does not read one. */
export type Sm90TensorMaps = {
  readonly left: TensorMapSpec
  readonly right: TensorMapSpec
  readonly leftScales: TensorMapSpec | undefined
  readonly rightScales: TensorMapSpec | undefined
  readonly out: TensorMapSpec | undefined
}

/** Bytes from one row to the next, where they are not those of dense rows. */
export type Sm90RowBytes = { readonly a?: number; readonly b?: number; readonly out?: number }

/** Shapes that the copy engine can address: rows of 16-byte multiples. @throws {ShapeError} */
export function requireSm90Extents({ m, n, k }: GemmExtents): void {
  const fine = m >= 0 && n > 0 && k > 0 && n % 8 === 0 && k % 16 === 0
  if (fine && Math.max(m, n, k) < 2 ** 31) return
  throw new ShapeError('The GPU cannot multiply these shapes', {
    given: `M ${m}, N ${n}, K ${k}`,
    allowed: 'N a multiple of 8, K a multiple of 16, each below 2^31',
    remedy: 'Pad N or K with zeros, or use the CPU device.',
  })
}

export function sm90TensorMaps(
  config: Sm90Config,
  extents: GemmExtents,
  rowBytes: Sm90RowBytes = {},
): Sm90TensorMaps {
  const { left, right } = operandExtents(config, extents)
  const { k, m, n } = extents
  const a = rowBytes.a ?? k
  const b = rowBytes.b ?? k
  const share = (operand: 'left' | 'right'): number =>
    config.multicast === operand ? clusterSize(config) : 1
  return {
    left: values(left, k, config.swapped ? b : a, config.blockLeft / share('left')),
    right: values(right, k, config.swapped ? a : b, config.blockRight / share('right')),
    leftScales:
      config.leftScaling === 'vectors' ? vectorScales(left, k, config.blockLeft) : undefined,
    rightScales:
      config.rightScaling === 'vectors' ? vectorScales(right, k, config.blockRight) : undefined,
    out: isStaged(config)
      ? stagedOut(config, m, n, rowBytes.out ?? dtypeBytes(config.out) * n)
      : undefined,
  }
}

function values(rows: number, k: number, rowBytes: number, boxRows: number): TensorMapSpec {
  return { dtype: 'u8', extents: [k, rows], rowBytes, box: [BLOCK, boxRows], swizzle: 128 }
}

/** mn-major 1x128 scales: a tile's scales of one K block are one box. */
function vectorScales(rows: number, k: number, boxRows: number): TensorMapSpec {
  const padded = roundUp(rows, 4)
  return {
    dtype: 'f32',
    extents: [padded, ceilDiv(k, BLOCK)],
    rowBytes: 4 * padded,
    box: [boxRows, 1],
    swizzle: 0,
  }
}

function stagedOut(config: Sm90Config, m: number, n: number, rowBytes: number): TensorMapSpec {
  const columns = panelColumns(config)
  return {
    dtype: config.out,
    extents: [n, m],
    rowBytes,
    box: [columns, config.swapped ? config.blockRight : WGMMA_ROWS],
    swizzle: (dtypeBytes(config.out) * columns) as 32 | 64 | 128,
  }
}
