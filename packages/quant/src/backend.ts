// The one place that knows which devices can cast.

import type { FloatDType, QuantizedTensor, Scales, Tensor } from '@deepgemm/core'
import type { Stream } from '@deepgemm/runtime'
import { cpuDequantize, cpuQuantize, cpuQueue, cpuRelayoutScales } from '@deepgemm/runtime/cpu'

export function enqueueCast(
  stream: Stream,
  source: Tensor<FloatDType>,
  out: QuantizedTensor,
  transpose: boolean,
): void {
  cpuQuantize(cpuQueue(stream.device, stream), source, out, transpose)
}

export function enqueueUncast(
  stream: Stream,
  source: QuantizedTensor,
  out: Tensor<FloatDType>,
): void {
  cpuDequantize(cpuQueue(stream.device, stream), source, out)
}

export function enqueueRelayout(
  stream: Stream,
  source: Scales,
  out: Scales,
  shape: readonly number[],
): void {
  cpuRelayoutScales(cpuQueue(stream.device, stream), source, out, shape)
}
