import type { FloatDType } from '@deepgemm/core'
import type { DeviceKernelSpec } from '@deepgemm/jit'
import type { CombineCall } from '@deepgemm/runtime/cpu'
import { ArgumentList, type CudaStream } from '@deepgemm/runtime/cuda'
import { kernelSpec, launchKernel, RUN, rowStride, rowsAligned, sourceName } from './kernel.js'

const THREADS = 128
/** Columns that a block covers. */
const SPAN = RUN * THREADS

/** What selects a kernel; without an addend its dtype does not matter. */
export type CombineKind = {
  readonly rows: FloatDType
  readonly addend: FloatDType
  readonly out: FloatDType
  readonly aligned: boolean
}

/** `entry/moe_combine.cu` */
export function combineKernel(kind: CombineKind): DeviceKernelSpec {
  return kernelSpec('moe_combine', 'CombineConfig', {
    kAddend: sourceName(kind.addend),
    kAligned: kind.aligned,
    kOut: sourceName(kind.out),
    kRows: sourceName(kind.rows),
  })
}

export function combineKernelOf({ rows, addend, out }: CombineCall): DeviceKernelSpec {
  const tensors = addend === undefined ? [rows, out] : [rows, addend, out]
  const aligned =
    (out.shape[1] as number) % RUN === 0 && tensors.every((tensor) => rowsAligned(tensor, 16))
  const addendType = addend?.dtype ?? rows.dtype
  return combineKernel({ rows: rows.dtype, addend: addendType, out: out.dtype, aligned })
}

/** The members of `CombineArguments` (`kernels/cuda/moe/arguments.cuh`) in their order. */
function combineArguments({ destination, weights, rows, addend, out }: CombineCall): ArgumentList {
  const [tokens, topK] = destination.shape as readonly [number, number]
  const [capacity, columns] = rows.shape as readonly [number, number]
  return new ArgumentList('struct')
    .pointer(destination)
    .pointer(weights)
    .pointer(rows)
    .pointer(addend)
    .pointer(out)
    .i64(rowStride(rows))
    .i64(addend === undefined ? 0 : rowStride(addend))
    .i64(rowStride(out))
    .u32(tokens)
    .u32(topK)
    .u32(columns)
    .u32(capacity)
}

/** @throws {DeviceError} when the kernel is not loaded */
export function enqueueCudaCombine(stream: CudaStream, call: CombineCall): void {
  const [tokens, columns] = call.out.shape as readonly [number, number]
  if (tokens === 0 || columns === 0) return
  const grid = [tokens, Math.ceil(columns / SPAN)] as const
  launchKernel(stream, combineKernelOf(call), combineArguments(call), { grid, threads: THREADS })
}
