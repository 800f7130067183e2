import { GroupError, type Tensor } from '@deepgemm/core'
import type { DeviceKernelSpec } from '@deepgemm/jit'
import type { PlanPermutationCall } from '@deepgemm/runtime/cpu'
import { ArgumentList, type CudaStream } from '@deepgemm/runtime/cuda'
import { kernelSpec, launchKernel } from './kernel.js'

const LANES = 32
/** Least experts that a kernel is compiled for; more go up in powers of two. */
const LEAST_EXPERTS = 64
/** Counts that a block has room for, less what else it keeps for every expert. */
const MOST_COUNTS = 48_000
/** Slots from which on a cluster of blocks shares them. */
const MANY_SLOTS = 2048
const CLUSTER = 8

/** A planned permutation, and where a GPU reports what is wrong with it. */
export type CheckedPlanCall = PlanPermutationCall & {
  /** [2]: 1 + the first slot with a bad index, or 0; the rows that are needed. */
  readonly status?: Tensor<'i32'> | undefined
}

type PlanSize = { readonly experts: number; readonly warps: number }

/** What selects a kernel. */
export type PlanKind = { readonly experts: number; readonly isShared: boolean }

function planSize(experts: number): PlanSize {
  const room = Math.max(LEAST_EXPERTS, 2 ** Math.ceil(Math.log2(experts)))
  return { experts: room, warps: Math.min(LANES, Math.floor(MOST_COUNTS / room)) }
}

/** `entry/moe_plan.cu` */
export function planKernel({ experts, isShared }: PlanKind): DeviceKernelSpec {
  const size = planSize(experts)
  // sizeof(PlanStorage)
  const sharedBytes = 4 * ((size.warps + 4) * size.experts + size.warps + 2)
  const config = {
    kClusterBlocks: isShared ? CLUSTER : 1,
    kExperts: size.experts,
    kSharedBytes: sharedBytes,
    kWarps: size.warps,
  }
  return kernelSpec('moe_plan', 'PlanConfig', config, sharedBytes)
}

export function planKernelOf({ experts, indices }: CheckedPlanCall): DeviceKernelSpec {
  return planKernel({ experts, isShared: indices.size > MANY_SLOTS })
}

/** The members of `PlanArguments` (`kernels/cuda/moe/arguments.cuh`) in their order. */
function planArguments(call: CheckedPlanCall): ArgumentList {
  return new ArgumentList('struct')
    .pointer(call.indices)
    .pointer(call.counts)
    .pointer(call.offsets)
    .pointer(call.destination)
    .pointer(call.groupIndex)
    .pointer(call.status)
    .u32(call.indices.size)
    .u32(call.experts)
    .u32(call.layout === 'contiguous' ? call.alignment : 1)
    .u32(call.maxRows)
    .u32(call.rowCapacity)
    .u32(call.layout === 'masked' ? 1 : 0)
}

/** @throws {DeviceError} when the kernel is not loaded */
export function enqueueCudaPlan(stream: CudaStream, call: CheckedPlanCall): void {
  const threads = planSize(call.experts).warps * LANES
  const blocks = call.indices.size > MANY_SLOTS ? CLUSTER : 1
  const shape = { grid: [blocks], threads, cluster: [blocks] } as const
  launchKernel(stream, planKernelOf(call), planArguments(call), shape)
}

/**
 * Reads what a GPU reported, once it has.
 *
 * @throws {GroupError} for an index out of range, or more rows than there is room for
 */
export async function requirePlanned(call: CheckedPlanCall): Promise<void> {
  if (call.status === undefined) return
  const bytes = await call.status.toBytes()
  const [bad, needed] = new Int32Array(bytes.slice().buffer)
  if (bad !== 0) {
    throw new GroupError(`Expert index of slot ${(bad as number) - 1} is out of range`, {
      given: 'an index outside the experts',
      allowed: `-1 or 0 to ${call.experts - 1}`,
    })
  }
  const masked = call.layout === 'masked'
  const room = masked ? call.maxRows : call.rowCapacity
  if ((needed as number) <= room) return
  throw new GroupError(
    masked ? 'A group outgrows its rows' : 'Permuted rows outgrow their buffer',
    { given: `${needed} rows`, allowed: `at most ${room}` },
  )
}
