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

type Shape = Omit<Sm90Config, 'stages' | keyof Sm90Family | 'rightScaling'>

const base = {
  target: 'sm_90a',
  rowBlocks: 1,
  columnSplits: 1,
  accumulators: 1,
  unroll: 1,
  ordered: false,
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
  ...[48, 64].map((blockRight) => ({ ...swapped, blockLeft: 64, blockRight })),
  { ...swapped, blockLeft: 128, blockRight: 16 },
]

const halfTiles: readonly Shape[] = [
  { ...base, blockLeft: 64, blockRight: 64, blocksPerSm: 2 },
  { ...base, blockLeft: 64, blockRight: 128 },
]

const plainTiles: readonly Shape[] = [64, 80, 96, 112, 128, 144, 160, 176, 192].flatMap(
  (blockRight) =>
    (['none', 'right'] as const).map((multicast) => ({
      ...base,
      ...{ blockLeft: 128, blockRight, multicast, ordered: true },
    })),
)

/** All rows of a group of medium size in one tile, so that its weights are read once. */
const groupTiles: readonly Shape[] = [96, 128].map((blockRight) => ({
  ...base,
  ...{ blockLeft: 192, blockRight },
}))

const largeTiles: readonly Shape[] = [64, 96, 112, 128].map((blockRight) => ({
  ...base,
  ...{ blockLeft: 256, blockRight, rowBlocks: 2, multicast: 'left' as const, ordered: true },
}))

const mostStages = 12

/** Every config that a family's problems choose among, all legal. */
export function sm90Candidates(family: Sm90Family): readonly Sm90Config[] {
  const weights = family.recipeB === '128x128'
  const isShort = family.layout === 'packed' || family.layout === 'masked'
  const grouped = isShort ? groupTiles : []
  const shapes = [
    ...(weights ? tokenTiles : []),
    ...[...halfTiles, ...plainTiles, ...grouped, ...largeTiles],
  ]
  return shapes.map((shape) => complete(shape, family)).filter(isLegalSm90Config)
}

function complete(shape: Shape, { recipeB, ...rest }: Sm90Family): Sm90Config {
  const rightScaling = shape.swapped || recipeB === '1x128' ? 'vectors' : 'blocks'
  const partial = { ...shape, ...rest, rightScaling } as const
  return { ...partial, stages: stagesThatFit(partial, mostStages) }
}
