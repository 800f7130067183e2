import { BLOCK, type QuantizedTensor, type Tensor } from '@deepgemm/core'
import type { DeviceKernelSpec } from '@deepgemm/jit'
import { ArgumentList, type CudaStream } from '@deepgemm/runtime/cuda'
import { kernelSpec, launchKernel, rowStride } from './kernel.js'

const THREADS = 256
/** Blocks of a cluster, which share K. */
const SPLITS = 8
/** Experts, and tokens, of a cluster. */
const TILE = 16

/** Tokens up to which tiles of wgmma, a handful of them, would leave most of the GPU idle. */
export const FEW_TOKENS = 128

/** A router's product for few tokens; scales are f32. */
export type LogitsCall = {
  readonly tokens: QuantizedTensor
  /** [E, K], K a multiple of 16. */
  readonly router: QuantizedTensor
  readonly logits: Tensor<'f32'>
}

/** `entry/moe_logits.cu` */
export function logitsKernel(): DeviceKernelSpec {
  return kernelSpec('moe_logits', 'LogitsConfig', { kSplits: SPLITS })
}

/** @throws {DeviceError} when the kernel is not loaded */
export function enqueueCudaLogits(
  stream: CudaStream,
  { tokens, router, logits }: LogitsCall,
): void {
  const [count, columns] = tokens.shape as readonly [number, number]
  const experts = router.shape[0] as number
  const [own, theirs] = [tokens.scales.gridStrides, router.scales.gridStrides]
  // The members of `LogitsArguments` (`kernels/cuda/moe/arguments.cuh`) in their order.
  const list = new ArgumentList('struct')
    .pointer(tokens.values)
    .pointer(router.values)
    .pointer(tokens.scales.tensor)
    .pointer(router.scales.tensor)
    .pointer(logits)
    .i64(rowStride(tokens.values))
    .i64(rowStride(router.values))
    .i64(own.row)
    .i64(own.col)
    .i64(theirs.row)
    .i64(theirs.col)
    .i64(rowStride(logits))
    .u32(count)
    .u32(experts)
    .u32(columns)
    .u32(router.recipe === '1x128' ? 1 : BLOCK)
  const grid = [SPLITS * Math.ceil(experts / TILE), Math.ceil(count / TILE)] as const
  launchKernel(stream, logitsKernel(), list, { grid, threads: THREADS, cluster: [SPLITS] })
}
