// The one place that knows which devices can multiply.

import type { CpuConfig, GemmForm, GemmProblem, QuantizedTensor, Tensor } from '@deepgemm/core'
import type { Device, Stream } from '@deepgemm/runtime'
import { cpuQueue } from '@deepgemm/runtime/cpu'
import { enqueueCpuGemm } from './cpu/gemm.js'

/** One product, validated. */
export type GemmCall = {
  readonly form: GemmForm
  readonly problem: GemmProblem
  readonly a: QuantizedTensor
  readonly b: QuantizedTensor
  readonly out: Tensor
}

/** Enqueues a product. */
export function enqueueGemm(stream: Stream, call: GemmCall): void {
  enqueueCpuGemm(cpuQueue(stream.device, stream), call)
}

/** The configs a plan may choose among for the problems it covers. */
export function configsFor(device: Device): readonly CpuConfig[] {
  return [{ target: 'cpu', isa: device.architecture, threads: device.parallelism }]
}
