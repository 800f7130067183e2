import type { FloatDType } from '../dtype.js'
import { BLOCK, type Recipe } from '../recipe.js'

/** Which elements of what a cast reads share a scale: `rows` 1x128, `squares` 128x128, `columns` 128x1. */
export type Sm90Blocks = 'rows' | 'squares' | 'columns'

/** The compile-time choices of the casts to e4m3 (`kernels/cuda/entry/quantize_*.cu`). */
export type Sm90CastConfig = {
  readonly target: 'sm_90a'
  /** Of the source; where the values are transposed, their recipe is the transposed one. */
  readonly blocks: Sm90Blocks
  readonly transposed: boolean
  readonly source: FloatDType
  /** Rows of source and values start and end at whole vectors: 16 bytes, 8 of untransposed values. */
  readonly aligned: boolean
}

/** The compile-time choices of the cast back (`kernels/cuda/entry/dequantize.cu`). */
export type Sm90DequantizeConfig = {
  readonly target: 'sm_90a'
  readonly out: FloatDType
  /** Rows of values start and end at multiples of 8 bytes, those of the result at 16. */
  readonly aligned: boolean
}

type Tile = { readonly rows: number; readonly columns: number }

/** Elements that one block of threads of the cast back covers. */
export const SM90_DEQUANTIZE_TILE: Tile = { rows: 32, columns: 256 }

const BLOCKS_OF: Readonly<Record<Recipe, Sm90Blocks>> = {
  '1x128': 'rows',
  '128x128': 'squares',
  '128x1': 'columns',
}

const TRANSPOSED: Readonly<Record<Sm90Blocks, Sm90Blocks>> = {
  rows: 'columns',
  squares: 'squares',
  columns: 'rows',
}

const FORMATS: Readonly<Record<'f32' | 'f16' | 'bf16', string>> = {
  f32: 'Source::kF32',
  f16: 'Source::kF16',
  bf16: 'Source::kBf16',
}

/** What shares a scale in the source of a cast whose values get `recipe`. */
export function sm90SourceBlocks(recipe: Recipe, transposed: boolean): Sm90Blocks {
  const blocks = BLOCKS_OF[recipe]
  return transposed ? TRANSPOSED[blocks] : blocks
}

/** The entry file of a cast, under the kernel sources; its kernel has the same name. */
export function sm90CastEntry({
  blocks,
  transposed,
}: Sm90CastConfig): 'quantize_rows' | 'quantize_tile' {
  return blocks === 'rows' && !transposed ? 'quantize_rows' : 'quantize_tile'
}

/** Elements of the source that one block of threads covers. */
export function sm90CastTile(config: Sm90CastConfig): Tile {
  const isRows = sm90CastEntry(config) === 'quantize_rows'
  return isRows ? { rows: 8, columns: 4 * BLOCK } : { rows: BLOCK, columns: BLOCK }
}

/** The choices in the words of the kernel source: members of its config struct. */
export function sm90CastMembers(config: Sm90CastConfig): Record<string, string | boolean> {
  const common = { kAligned: config.aligned, kSource: FORMATS[config.source] }
  if (sm90CastEntry(config) === 'quantize_rows') return common
  const capital = `${config.blocks[0]?.toUpperCase()}${config.blocks.slice(1)}`
  return { ...common, kBlocks: `Blocks::k${capital}`, kTransposed: config.transposed }
}

/** The same for the cast back. */
export function sm90DequantizeMembers(
  config: Sm90DequantizeConfig,
): Record<string, string | boolean> {
  return { kAligned: config.aligned, kOut: FORMATS[config.out] }
}

/** Every cast to e4m3 that there is. */
export function sm90CoveringCasts(): readonly Sm90CastConfig[] {
  const kinds = (['rows', 'squares', 'columns'] as const).flatMap((blocks) =>
    [false, true].map((transposed) => ({ target: 'sm_90a', blocks, transposed }) as const),
  )
  return kinds.flatMap((kind) => everyFormat().map((form) => ({ ...kind, ...form })))
}

/** Every cast back that there is. */
export function sm90CoveringDequantizations(): readonly Sm90DequantizeConfig[] {
  return everyFormat().map(({ source, aligned }) => ({ target: 'sm_90a', out: source, aligned }))
}

function everyFormat(): readonly { readonly source: FloatDType; readonly aligned: boolean }[] {
  return (['f32', 'f16', 'bf16'] as const).flatMap((source) =>
    [true, false].map((aligned) => ({ source, aligned })),
  )
}
