import type { Sm90Config } from './config.js'
import { type Sm90Cost, stepTime, tileTime } from './cost.js'

/**
 * Microseconds, fitted to the times of 1,000 launches of grouped products on one H100 (132
 * multiprocessors; kernels/cuda/test/gpu_time_grouped.py): what the model chooses is 1 % slower than
 * the fastest in the mean, 5 % at worst. Single times are off by 6 %.
 */
export const groupedFigures = {
  launch: 1.5,
  /** Bytes per microsecond. */
  memory: 3.01e6,
  /** How work and memory traffic overlap: the norm that sums their times. */
  overlap: 2.74,
  /** Long products draw so much power that the clock falls; less of it where a cluster shares loads. */
  throttle: { alone: 0.306, shared: 0.108, after: 300 },
  /** Of a tile's time, what it takes however few of its warp groups have rows; and without any. */
  idleShare: 0.5,
  emptyShare: 0.15,
  /** Sharing tiles along K: on all work, then for handing over partial sums, and 128 × 128 of them. */
  streamed: 1.06,
  handOver: 4,
  partials: 2.5,
} as const

type TileFigures = {
  /** Of a K block of a full tile. */
  readonly step: number
  /** Of a tile besides its K blocks. */
  readonly tile: number
}

const rowFigures: Readonly<Record<string, TileFigures>> = {
  '64x128': { step: 0.298, tile: 0.912 },
  '128x112': { step: 0.427, tile: 0.979 },
  '128x128': { step: 0.44, tile: 0.616 },
  '128x128 alternating': { step: 0.422, tile: 1.163 },
  '128x128 left': { step: 0.436, tile: 0.951 },
  '128x144': { step: 0.514, tile: 1.115 },
  '128x160': { step: 0.569, tile: 0.975 },
  '128x176': { step: 0.584, tile: 1.494 },
  '128x192': { step: 0.618, tile: 0.711 },
  '128x192 left': { step: 0.667, tile: 1.266 },
  '192x96': { step: 0.513, tile: 0.711 },
  '192x112': { step: 0.57, tile: 0.842 },
  '192x128': { step: 0.603, tile: 0.368 },
  '192x128 left': { step: 0.667, tile: 0.539 },
  '256x96': { step: 0.62, tile: 1.093 },
  '256x128': { step: 0.737, tile: 1.028 },
  '256x128 left': { step: 0.833, tile: 1.193 },
}

/** Of slices of K, whose D is added to in f32. */
const sliceFigures: Readonly<Record<string, TileFigures>> = {
  '128x96': { step: 0.47, tile: 2.9 },
  '128x96 alternating': { step: 0.47, tile: 3.4 },
  '128x112': { step: 0.52, tile: 3 },
  '128x128': { step: 0.57, tile: 3 },
  '128x128 alternating': { step: 0.61, tile: 3.7 },
  '128x160': { step: 0.92, tile: 1.2 },
  '128x192': { step: 0.87, tile: 5.8 },
}

/** Time of a K block over that of the dense model, for tiles that were not measured. */
const unmeasured = { rows: 1.15, slices: 1.1, swapped: 0.5 } as const

/** The figures of a config; those of dense products where it was not measured. */
export function tileFigures(config: Sm90Config): TileFigures {
  const { layout, blockLeft, blockRight, multicast, accumulators } = config
  const known = layout === 'k-grouped' ? sliceFigures : rowFigures
  const cluster = multicast === 'none' ? '' : ` ${multicast}`
  const name = `${blockLeft}x${blockRight}${cluster}${accumulators === 2 ? ' alternating' : ''}`
  const found = config.swapped ? undefined : known[name]
  const kind = config.swapped ? 'swapped' : layout === 'k-grouped' ? 'slices' : 'rows'
  return found ?? { step: stepTime(config) * unmeasured[kind], tile: tileTime(config) }
}

/** The cheapest of several ways of dealing tiles. */
export function cheapestWay(ways: readonly Sm90Cost[]): Sm90Cost {
  return ways.reduce((best, way) => (way.microseconds < best.microseconds ? way : best))
}
