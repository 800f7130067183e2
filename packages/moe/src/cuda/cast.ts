// Casts to e4m3 of what a layer brings into FP8 itself: tokens, float weights, float routers.

import { castKernel, type DeviceKernelSpec } from '@deepgemm/jit'

/** What the quantisation of tokens may launch: rows of any float dtype, aligned or not. */
export function tokenCastKernels(): readonly DeviceKernelSpec[] {
  const kind = { target: 'sm_90a', blocks: 'rows', transposed: false } as const
  return (['f32', 'f16', 'bf16'] as const).flatMap((source) =>
    [true, false].map((aligned) => castKernel({ ...kind, source, aligned })),
  )
}
