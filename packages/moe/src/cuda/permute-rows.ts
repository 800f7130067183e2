import type { QuantizedTensor, ScaleDType, Tensor } from '@deepgemm/core'
import type { DeviceKernelSpec } from '@deepgemm/jit'
import { ArgumentList, type CudaStream } from '@deepgemm/runtime/cuda'
import { kernelSpec, launchKernel, rowStride, rowsAligned } from './kernel.js'
import { rowsOf } from './rows.js'

const THREADS = 128
/** Bytes of a token that a block copies. */
const PIECE = 16 * THREADS

/** A copy of tokens to the rows of a permutation. */
export type PermuteCall = {
  readonly destination: Tensor<'i32'>
  /** [T, C], 1x128. */
  readonly source: QuantizedTensor
  /** [rows, C], or [G, maxRows, C] in the masked layout. */
  readonly out: QuantizedTensor
  /** Contiguous layout: rows with -1 become zeros. */
  readonly groupIndex: Tensor<'i32'> | undefined
}

/** `entry/moe_permute.cu` */
export function permuteKernel(kind: {
  readonly aligned: boolean
  readonly scaleDType: ScaleDType
}): DeviceKernelSpec {
  const config = { kAligned: kind.aligned, kUe8m0: kind.scaleDType === 'ue8m0' }
  return kernelSpec('moe_permute', 'PermuteConfig', config)
}

export function permuteKernelOf({ source, out }: PermuteCall): DeviceKernelSpec {
  const aligned = rowsAligned(source.values, 16) && rowsAligned(out.values, 16)
  return permuteKernel({ aligned, scaleDType: source.scales.dtype })
}

/** The members of `PermuteArguments` (`kernels/cuda/moe/arguments.cuh`) in their order. */
function permuteArguments({ destination, source, out, groupIndex }: PermuteCall): ArgumentList {
  const [tokens, topK] = destination.shape as readonly [number, number]
  const from = source.scales.gridStrides
  const to = out.scales.gridStrides
  const { rows, rowsPerGroup, columns } = rowsOf(out.shape)
  return new ArgumentList('struct')
    .pointer(destination)
    .pointer(groupIndex)
    .pointer(source.values)
    .pointer(out.values)
    .pointer(source.scales.tensor)
    .pointer(out.scales.tensor)
    .i64(rowStride(source.values))
    .i64(rowStride(out.values))
    .i64(from.row)
    .i64(from.col)
    .i64(to.group)
    .i64(to.row)
    .i64(to.col)
    .u32(tokens)
    .u32(topK)
    .u32(columns)
    .u32(rows)
    .u32(rowsPerGroup)
    .u32(0)
}

/** @throws {DeviceError} when the kernel is not loaded */
export function enqueueCudaPermute(stream: CudaStream, call: PermuteCall): void {
  const { rows, columns } = rowsOf(call.out.shape)
  const blocks = (call.destination.shape[0] as number) + (call.groupIndex ? rows : 0)
  if (blocks === 0 || columns === 0 || rows === 0) return
  const grid = [blocks, Math.ceil(columns / PIECE)] as const
  launchKernel(stream, permuteKernelOf(call), permuteArguments(call), { grid, threads: THREADS })
}
