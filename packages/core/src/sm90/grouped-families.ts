import type { Sm90Config } from './config.js'
import type { Sm90Family } from './families.js'
import { isLegalSm90Config } from './legality.js'
import { stagesThatFit } from './tile.js'

type Shape = Pick<Sm90Config, 'blockLeft' | 'blockRight'> &
  Partial<Pick<Sm90Config, 'multicast' | 'accumulators' | 'columnSplits' | 'swapped'>> &
  Partial<Pick<Sm90Config, 'blocksPerSm' | 'unroll'>>

const left = { multicast: 'left' } as const
const alternating = { accumulators: 2 } as const
/** Tokens on the narrow side: two blocks share a multiprocessor. */
const swapped = { swapped: true, blocksPerSm: 2, blockLeft: 64 } as const

const tokenTiles: readonly Shape[] = [
  ...[8, 16, 24, 32].map((blockRight) => ({
    ...{ ...swapped, ...alternating },
    ...{ blockRight, unroll: 4 },
  })),
  { ...swapped, blockRight: 64 },
]

/** Clusters share tokens, never weights: two tiles of tokens seldom have the same group. */
const rowTiles: readonly Shape[] = [
  { blockLeft: 64, blockRight: 64, blocksPerSm: 2 },
  { blockLeft: 64, blockRight: 128 },
  ...[80, 96, 112, 128, 144, 160, 176, 192].map((blockRight) => ({ blockLeft: 128, blockRight })),
  { ...left, blockLeft: 128, blockRight: 128 },
  { ...left, blockLeft: 128, blockRight: 192 },
  { ...alternating, blockLeft: 128, blockRight: 128 },
  ...[96, 112, 128].map((blockRight) => ({ blockLeft: 192, blockRight })),
  { ...left, blockLeft: 192, blockRight: 128 },
  ...[96, 128].map((blockRight) => ({ blockLeft: 256, blockRight })),
  { ...left, blockLeft: 256, blockRight: 128 },
]

const sliceTiles: readonly Shape[] = [
  { blockLeft: 64, blockRight: 64, blocksPerSm: 2 },
  { blockLeft: 64, blockRight: 128 },
  ...[64, 96, 112, 128, 160, 192].map((blockRight) => ({ blockLeft: 128, blockRight })),
  ...[96, 128].map((blockRight) => ({ ...alternating, blockLeft: 128, blockRight })),
]

const MOST_STAGES = 16
/** With fewer, loads hide nothing. */
const FEWEST_STAGES = 3

/** Every config that the grouped products of a family choose among, all legal. */
export function sm90GroupedCandidates(family: Sm90Family): readonly Sm90Config[] {
  return shapesOf(family)
    .map((shape) => complete(shape, family))
    .filter((config) => config.stages >= FEWEST_STAGES && isLegalSm90Config(config))
}

function shapesOf({ layout }: Sm90Family): readonly Shape[] {
  if (layout === 'k-grouped') return sliceTiles
  // Beside three math warp groups, the warp that finds runs of contiguous rows has too few registers.
  if (layout === 'contiguous') return rowTiles.filter(({ blockLeft }) => blockLeft !== 192)
  return [...tokenTiles, ...rowTiles]
}

function complete(shape: Shape, { recipeB, ...family }: Sm90Family): Sm90Config {
  const isSwapped = shape.swapped ?? false
  const partial = {
    ...({ target: 'sm_90a', columnSplits: 1, accumulators: 1, multicast: 'none' } as const),
    ...({ swapped: false, blocksPerSm: 1, unroll: 1 } as const),
    rowBlocks: shape.blockLeft === 256 ? 2 : 1,
    ...shape,
    ...family,
    leftScaling: isSwapped ? ('blocks' as const) : ('vectors' as const),
    rightScaling: isSwapped || recipeB === '1x128' ? ('vectors' as const) : ('blocks' as const),
  }
  const stages = stagesThatFit(partial, MOST_STAGES)
  return { ...partial, stages, unroll: shape.unroll ?? stages }
}
