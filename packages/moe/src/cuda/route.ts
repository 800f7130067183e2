import { roundUp } from '@deepgemm/core'
import type { DeviceKernelSpec } from '@deepgemm/jit'
import type { RouteCall } from '@deepgemm/runtime/cpu'
import { ArgumentList, type CudaStream } from '@deepgemm/runtime/cuda'
import { kernelSpec, launchKernel, rowStride, sourceName } from './kernel.js'

const LANES = 32
/** Shared memory of a block: what its tokens' scores may take. */
const SCORE_BYTES = 40 * 1024

/** What selects a kernel of routing. */
export type RouteKind = Pick<RouteCall, 'gating'> & {
  readonly experts: number
  readonly dtype: RouteCall['logits']['dtype']
}

/** Tokens of a block at most: `most`, or as many as have room for the scores of each. */
export function tokensPerBlock(experts: number, most = 4): number {
  const perToken = 8 * LANES * expertsPerLane(experts)
  return Math.min(most, Math.floor(SCORE_BYTES / perToken))
}

function expertsPerLane(experts: number): number {
  return 2 ** Math.ceil(Math.log2(roundUp(experts, LANES) / LANES))
}

/** The members of `RouteConfig`, for a block of so many tokens. */
export function routeConfig(
  { gating, experts, dtype }: RouteKind,
  tokens: number,
): DeviceKernelSpec['config'] {
  return {
    kLogits: sourceName(dtype),
    kPerLane: expertsPerLane(experts),
    kSigmoid: gating === 'group-limited-sigmoid',
    kWarps: tokens,
  }
}

/** `entry/moe_route.cu` */
export function routeKernel(kind: RouteKind): DeviceKernelSpec {
  return kernelSpec('moe_route', 'RouteConfig', routeConfig(kind, tokensPerBlock(kind.experts)))
}

export function routeKind({ logits, gating }: RouteCall): RouteKind {
  return { gating, experts: logits.shape[1] as number, dtype: logits.dtype }
}

/** The members of `RouteArguments` (`kernels/cuda/moe/arguments.cuh`) in their order. */
export function routeArguments(call: RouteCall): ArgumentList {
  const [tokens, experts] = call.logits.shape as readonly [number, number]
  return new ArgumentList('struct')
    .pointer(call.logits)
    .pointer(call.bias)
    .pointer(call.indices)
    .pointer(call.weights)
    .i64(rowStride(call.logits))
    .f32(call.scalingFactor)
    .u32(call.normalize ? 1 : 0)
    .u32(tokens)
    .u32(experts)
    .u32(call.topK)
    .u32(call.groups)
    .u32(experts / call.groups)
    .u32(call.topGroups)
}

/** @throws {DeviceError} when the kernel is not loaded */
export function enqueueCudaRoute(stream: CudaStream, call: RouteCall): void {
  const [tokens, experts] = call.logits.shape as readonly [number, number]
  if (tokens === 0) return
  const warps = tokensPerBlock(experts)
  const shape = { grid: [Math.ceil(tokens / warps)], threads: warps * LANES } as const
  launchKernel(stream, routeKernel(routeKind(call)), routeArguments(call), shape)
}
