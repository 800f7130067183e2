import { roundUp } from '@deepgemm/core'
import type { DeviceKernelSpec } from '@deepgemm/jit'
import type { RouteCall } from '@deepgemm/runtime/cpu'
import { ArgumentList, type CudaStream } from '@deepgemm/runtime/cuda'
import { kernelSpec, launchKernel, rowStride, sourceName } from './kernel.js'

const LANES = 32
/** Experts of a lane beyond which fewer tokens share a block, for their shared memory. */
const MANY_PER_LANE = 32

/** What selects a kernel of routing. */
export type RouteKind = Pick<RouteCall, 'gating'> & {
  readonly experts: number
  readonly dtype: RouteCall['logits']['dtype']
}

function tokensPerBlock(perLane: number): number {
  return perLane > MANY_PER_LANE ? 2 : 4
}

function expertsPerLane(experts: number): number {
  return 2 ** Math.ceil(Math.log2(roundUp(experts, LANES) / LANES))
}

/** `entry/moe_route.cu` */
export function routeKernel({ gating, experts, dtype }: RouteKind): DeviceKernelSpec {
  const perLane = expertsPerLane(experts)
  return kernelSpec('moe_route', 'RouteConfig', {
    kLogits: sourceName(dtype),
    kPerLane: perLane,
    kSigmoid: gating === 'group-limited-sigmoid',
    kWarps: tokensPerBlock(perLane),
  })
}

export function routeKind({ logits, gating }: RouteCall): RouteKind {
  return { gating, experts: logits.shape[1] as number, dtype: logits.dtype }
}

/** The members of `RouteArguments` (`kernels/cuda/moe/arguments.cuh`) in their order. */
function routeArguments(call: RouteCall): ArgumentList {
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
  const warps = tokensPerBlock(expertsPerLane(experts))
  const shape = { grid: [Math.ceil(tokens / warps)], threads: warps * LANES } as const
  launchKernel(stream, routeKernel(routeKind(call)), routeArguments(call), shape)
}
