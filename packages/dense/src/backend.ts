// The one place that knows which devices can multiply.

import type {
  GemmConfig,
  GemmForm,
  GemmProblem,
  OutDType,
  QuantizedTensor,
  Tensor,
} from '@deepgemm/core'
import type { Device, Stream } from '@deepgemm/runtime'
import { cpuQueue } from '@deepgemm/runtime/cpu'
import { CudaDevice, type CudaStream } from '@deepgemm/runtime/cuda'
import { enqueueCpuGemm } from './cpu/gemm.js'
import { enqueueCudaGemm, prepareCudaGemm } from './cuda/gemm.js'

/** One product, validated. */
export type GemmCall = {
  readonly form: GemmForm
  readonly problem: GemmProblem
  readonly a: QuantizedTensor
  readonly b: QuantizedTensor
  readonly out: Tensor
}

/** Products of one N and K and a range of M. */
export type GemmRange = {
  readonly form: GemmForm
  readonly m: { readonly min: number; readonly max: number }
  readonly n: number
  readonly k: number
  readonly recipeB: GemmProblem['recipeB']
  readonly out: OutDType
  readonly accumulate: boolean
}

/** All that a range of products needs, chosen and loaded. */
export interface PreparedGemm {
  /** What products are computed with. */
  readonly configs: readonly GemmConfig[]
  enqueue(stream: Stream, call: GemmCall): void
}

/** Enqueues a product; on a GPU, once its kernel is loaded. */
export function enqueueGemm(stream: Stream, call: GemmCall): Promise<void> | undefined {
  if (stream.device instanceof CudaDevice) return enqueueCudaGemm(stream as CudaStream, call)
  enqueueCpuGemm(cpuQueue(stream.device, stream), call)
  return undefined
}

export async function prepareGemm(device: Device, range: GemmRange): Promise<PreparedGemm> {
  if (device instanceof CudaDevice) return prepareCudaGemm(device, range)
  return {
    configs: [{ target: 'cpu', isa: device.architecture, threads: device.parallelism }],
    enqueue: (stream, call) => enqueueCpuGemm(cpuQueue(stream.device, stream), call),
  }
}
