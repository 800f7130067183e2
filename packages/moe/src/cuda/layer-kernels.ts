import { FLOAT_DTYPES } from '@deepgemm/core'
import type { DeviceKernelSpec } from '@deepgemm/jit'
import type { RouteCall } from '@deepgemm/runtime/cpu'
import { tokenCastKernels } from './cast.js'
import { combineKernel } from './combine.js'
import { logitsKernel } from './logits.js'
import { permuteKernel } from './permute-rows.js'
import { planKernel } from './plan-permutation.js'
import { routeKernel } from './route.js'
import { selectKernel } from './select.js'
import { swigluQuantizeKernel } from './swiglu.js'

/** Everything but the products that runs of a layer may launch. Its own buffers are aligned. */
export function layerKernels(experts: number, gating: RouteCall['gating']): DeviceKernelSpec[] {
  const scaleDType = 'f32' as const
  return [
    ...tokenCastKernels(),
    logitsKernel(),
    ...FLOAT_DTYPES.flatMap((dtype) => {
      const kind = { gating, experts, dtype }
      return [routeKernel(kind), selectKernel(kind)]
    }),
    ...[true, false].map((isShared) => planKernel({ experts, isShared })),
    permuteKernel({ aligned: true, scaleDType }),
    ...([1, 4] as const).map((rowsPerWarp) =>
      swigluQuantizeKernel({ input: 'bf16', scaleDType, aligned: true, rowsPerWarp }),
    ),
    ...(['bf16', 'f32'] as const).flatMap((out) =>
      [true, false].map((aligned) => {
        return combineKernel({ rows: 'bf16', addend: 'bf16', out, aligned })
      }),
    ),
  ]
}
