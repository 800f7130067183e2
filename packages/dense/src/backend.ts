// The one place that knows which devices can multiply.

import type {
  GemmConfig,
  GemmForm,
  GemmProblem,
  GemmWeights,
  OutDType,
  QuantizedTensor,
  Tensor,
} from '@deepgemm/core'
import type { Device, Stream } from '@deepgemm/runtime'
import { cpuQueue } from '@deepgemm/runtime/cpu'
import { CudaDevice, type CudaStream } from '@deepgemm/runtime/cuda'
import { enqueueCpuGemm } from './cpu/gemm.js'
import { enqueueCudaGemm, prepareCudaGemm } from './cuda/prepare.js'

/** One product, validated. */
export type GemmCall = {
  readonly form: GemmForm
  readonly problem: GemmProblem
  readonly a: QuantizedTensor
  readonly b: QuantizedTensor
  readonly out: Tensor
  /** No work that may still run writes B or its scales. */
  readonly weightsReady: boolean
}

/** One product whose weights may be prepacked, on a CPU. */
export type WeightsCall = Omit<GemmCall, 'b'> & { readonly b: GemmWeights }

/** Where a product finds its operands, and on which stream it runs. */
export type GemmPlacement = Pick<GemmCall, 'a' | 'b' | 'out' | 'weightsReady'> & {
  readonly stream: Stream
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
  /** Kernels are chosen by measurement, where there is a choice. Default false. */
  readonly tune?: boolean
}

/** One of a plan's kernels is ready. */
export type GemmProgress = {
  readonly done: number
  readonly total: number
  /** Its name and config. */
  readonly kernel: string
  /** Where it came from; `device`: another plan had loaded it. */
  readonly source: 'device' | 'cache' | 'compiled'
}

export type ProgressListener = (progress: GemmProgress) => void

/** All that a range of products needs, chosen and loaded. */
export interface PreparedGemm {
  /** What products are computed with. */
  readonly configs: readonly GemmConfig[]
  enqueue(stream: Stream, call: WeightsCall): void
  /** Enqueues what an earlier, equal product enqueued; false when there was none. */
  replay?(placement: GemmPlacement): boolean
  /** Allocates on a stream what products will need beside their operands. */
  reserve?(stream: Stream): void
}

/** Enqueues a product; on a GPU, once its kernel is loaded. */
export function enqueueGemm(stream: Stream, call: WeightsCall): Promise<void> | undefined {
  if (stream.device instanceof CudaDevice) {
    return enqueueCudaGemm(stream as CudaStream, call as GemmCall)
  }
  enqueueCpuGemm(cpuQueue(stream.device, stream), call)
  return undefined
}

export async function prepareGemm(
  device: Device,
  range: GemmRange,
  onProgress?: ProgressListener,
): Promise<PreparedGemm> {
  if (device instanceof CudaDevice) return prepareCudaGemm(device, range, onProgress)
  return {
    configs: [{ target: 'cpu', isa: device.architecture, threads: device.parallelism }],
    enqueue: (stream, call) => enqueueCpuGemm(cpuQueue(stream.device, stream), call),
  }
}
