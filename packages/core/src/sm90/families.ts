import type { GroupLayout } from '../groups.js'
import type { OutDType } from '../problem.js'
import type { Sm90Config } from './config.js'
import { isLegalSm90Config } from './legality.js'
import { stagesThatFit } from './tile.js'

/** What a family of configs is for. `recipeB` is B's, seen K-major. */
export type Sm90Family = {
  readonly recipeB: '128x128' | '1x128'
  readonly out: OutDType
  readonly accumulate: boolean
  /** Left out in dense products. */
  readonly layout?: GroupLayout
}

type Shape = Omit<Sm90Config, 'stages' | 'unroll' | keyof Sm90Family | 'rightScaling'> & {
  /** Default: all stages. */
  readonly unroll?: number
}

const base = {
  target: 'sm_90a',
  rowBlocks: 1,
  columnSplits: 1,
  accumulators: 1,
  multicast: 'none',
  swapped: false,
  leftScaling: 'vectors',
  blocksPerSm: 1,
} as const

/** Tokens on the narrow side: few enough registers and stages that two blocks share a multiprocessor. */
const swapped = { ...base, swapped: true, leftScaling: 'blocks', blocksPerSm: 2 } as const

const tokenTiles: readonly Shape[] = [
  ...[8, 16, 24, 32].map((blockRight) => ({
    ...{ ...swapped, accumulators: 2 as const, unroll: 4 },
    ...{ blockLeft: 64, blockRight },
  })),
  { ...swapped, blockLeft: 64, blockRight: 64 },
]

const halfTiles: readonly Shape[] = [
  { ...base, blockLeft: 64, blockRight: 64, blocksPerSm: 2 },
  { ...base, blockLeft: 64, blockRight: 128 },
]

const plainTiles: readonly Shape[] = [
  ...[64, 80, 96, 112, 128, 144, 160, 176, 192].map((blockRight) => ({
    ...{ ...base, blockLeft: 128, blockRight },
  })),
  ...[128, 160, 192].map((blockRight) => ({
    ...{ ...base, blockLeft: 128, blockRight, multicast: 'right' as const },
  })),
  ...[64, 96, 112, 128].map((blockRight) => ({
    ...{ ...base, accumulators: 2 as const },
    ...{ blockLeft: 128, blockRight },
  })),
]

/**
 * Narrow tiles of weights, so that there are enough of them for few tokens. Their one math warp
 * group needs a second accumulator to multiply while it promotes. Not for groups: their tiles would
 * load the rows of others.
 */
const narrowTiles: readonly Shape[] = [
  ...[16, 32, 48, 64, 96, 128].map((blockRight) => ({
    ...{ ...base, accumulators: 2 as const },
    ...{ blockLeft: 64, blockRight },
  })),
  { ...base, blockLeft: 64, blockRight: 32, blocksPerSm: 2 },
  ...[32, 48].map((blockRight) => ({ ...base, blockLeft: 128, blockRight })),
]

const tallTiles: readonly Shape[] = [96, 112, 128].map((blockRight) => ({
  ...base,
  ...{ blockLeft: 192, blockRight },
}))

const largeTiles: readonly Shape[] = [
  ...[64, 96, 128].map((blockRight) => ({
    ...{ ...base, blockLeft: 256, blockRight, rowBlocks: 2 },
  })),
  { ...base, blockLeft: 256, blockRight: 128, rowBlocks: 2, multicast: 'left' },
]

const MOST_STAGES = 16
/** With fewer, loads hide nothing. */
const FEWEST_STAGES = 3

/** Every config that a family's problems choose among, all legal. */
export function sm90Candidates(family: Sm90Family): readonly Sm90Config[] {
  const weights = family.recipeB === '128x128'
  const shapes = [
    ...(weights ? tokenTiles : []),
    ...(family.layout === undefined ? narrowTiles : []),
    ...[...halfTiles, ...plainTiles, ...tallTiles, ...largeTiles],
  ]
  const configs = shapes.map((shape) => complete(shape, family))
  return configs.filter((config) => config.stages >= FEWEST_STAGES && isLegalSm90Config(config))
}

function complete(shape: Shape, { recipeB, ...rest }: Sm90Family): Sm90Config {
  const rightScaling = shape.swapped || recipeB === '1x128' ? 'vectors' : 'blocks'
  const partial = { ...shape, ...rest, rightScaling, unroll: 1 } as const
  const stages = stagesThatFit(partial, MOST_STAGES)
  return { ...partial, stages, unroll: shape.unroll ?? (hasRoom(partial) ? stages : 1) }
}

/** Two row blocks with column scales leave no registers for a loop over the whole ring. */
function hasRoom({ rowBlocks, rightScaling }: Omit<Sm90Config, 'stages'>): boolean {
  return rowBlocks === 1 || rightScaling === 'blocks'
}
