import type { ScaleDType } from '../recipe.js'

/** The compile-time choices of the casts to e4m3 (`kernels/cuda/entry/quantize_*.cu`). */
export type Sm90CastConfig = {
  readonly target: 'sm_90a'
  readonly recipe: '1x128' | '128x128'
  readonly source: 'f32' | 'f16' | 'bf16'
  readonly scaleDType: ScaleDType
  /** Source rows start at multiples of 16 bytes and hold whole ones, rows of values at 8 bytes. */
  readonly aligned: boolean
}

/** Elements of the source that one block of threads covers. */
export const SM90_CAST_TILE: Readonly<
  Record<Sm90CastConfig['recipe'], { readonly rows: number; readonly columns: number }>
> = {
  '1x128': { rows: 32, columns: 512 },
  '128x128': { rows: 128, columns: 128 },
}

/** The entry file of a cast, under the kernel sources; its kernel has the same name. */
export function sm90CastEntry(config: Sm90CastConfig): 'quantize_rows' | 'quantize_blocks' {
  return config.recipe === '1x128' ? 'quantize_rows' : 'quantize_blocks'
}

/** The choices in the words of the kernel source: members of its config struct. */
export function sm90CastMembers(config: Sm90CastConfig): Record<string, string | boolean> {
  const source = { f32: 'kF32', f16: 'kF16', bf16: 'kBf16' }[config.source]
  return {
    kAligned: config.aligned,
    kSource: `Source::${source}`,
    kUe8m0: config.scaleDType === 'ue8m0',
  }
}

/** Casts to compile as a check: every source aligned, and each branch of the other choices. */
export function sm90CoveringCasts(): readonly Sm90CastConfig[] {
  return (['1x128', '128x128'] as const).flatMap((recipe) => {
    const base = { target: 'sm_90a', recipe, scaleDType: 'f32', aligned: true } as const
    return [
      { ...base, source: 'f32' },
      { ...base, source: 'f16', scaleDType: 'ue8m0' },
      { ...base, source: 'bf16' },
      { ...base, source: 'f32', aligned: false },
      { ...base, source: 'bf16', aligned: false, scaleDType: 'ue8m0' },
    ] as const
  })
}
