// Numbers that the addon reads as C++ enumerators; the order is that of kernels/cpu.

import type { FloatDType, OutDType, Recipe, ScaleDType } from '@deepgemm/core'

/** cpu::FloatType */
export const FLOAT_CODE: Readonly<Record<FloatDType, number>> = { f32: 0, f16: 1, bf16: 2 }

/** cpu::ScaleFormat */
export const SCALE_CODE: Readonly<Record<ScaleDType, number>> = { f32: 0, ue8m0: 1 }

/** cpu::ScaleRecipe */
export const RECIPE_CODE: Readonly<Record<Recipe, number>> = {
  '1x128': 0,
  '128x128': 1,
  '128x1': 2,
}

/** cpu::OutType */
export const OUT_CODE: Readonly<Record<OutDType, number>> = { f32: 0, bf16: 1 }
