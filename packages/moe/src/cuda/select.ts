// Routing and planning at once, for the few tokens of a decode run.

import type { DeviceKernelSpec } from '@deepgemm/jit'
import type { RouteCall } from '@deepgemm/runtime/cpu'
import type { CudaStream } from '@deepgemm/runtime/cuda'
import { kernelSpec, launchKernel } from './kernel.js'
import type { CheckedPlanCall } from './plan-permutation.js'
import { type RouteKind, routeArguments, routeConfig, routeKind, tokensPerBlock } from './route.js'

const LANES = 32
/** (token, expert) pairs that a block plans. */
const MOST_SLOTS = 256
/** Warps of a block: a token each. With more they would wait for one another longer than for a kernel. */
const MOST_WARPS = 8

/** `entry/moe_select.cu` */
export function selectKernel(kind: RouteKind): DeviceKernelSpec {
  const warps = tokensPerBlock(kind.experts, MOST_WARPS)
  const config = { ...routeConfig(kind, warps), kMostSlots: MOST_SLOTS }
  return kernelSpec('moe_select', 'RouteConfig', config)
}

/** Whether one block does it all: the masked layout, few tokens and not many experts. */
export function canSelect({ layout, indices, experts }: CheckedPlanCall): boolean {
  const tokens = indices.shape[0] as number
  const isSmall = tokens > 0 && tokens <= MOST_WARPS && indices.size <= MOST_SLOTS
  return layout === 'masked' && isSmall && tokensPerBlock(experts, MOST_WARPS) === MOST_WARPS
}

/** @throws {DeviceError} when the kernel is not loaded */
export function enqueueCudaSelect(
  stream: CudaStream,
  route: RouteCall,
  plan: CheckedPlanCall,
): void {
  // The members of `SelectArguments` (`kernels/cuda/moe/arguments.cuh`) in their order.
  const list = routeArguments(route)
    .pointer(plan.destination)
    .pointer(plan.counts)
    .u32(plan.maxRows)
    .u32(0)
  const threads = LANES * tokensPerBlock(plan.experts, MOST_WARPS)
  launchKernel(stream, selectKernel(routeKind(route)), list, { grid: [1], threads })
}
