// The one place that knows which devices can cast.

import type { DeviceRef, FloatDType, QuantizedTensor, Scales, Tensor } from '@deepgemm/core'
import { enqueueCast as enqueueCudaCast, prepareScaleRelayout } from '@deepgemm/jit'
import type { Stream } from '@deepgemm/runtime'
import { cpuDequantize, cpuQuantize, cpuQueue, cpuRelayoutScales } from '@deepgemm/runtime/cpu'
import { CudaDevice, type CudaStream } from '@deepgemm/runtime/cuda'
import { enqueueCudaUncast, prepareCudaUncast } from './cuda/dequantize.js'
import { type CastKind, prepareCudaCast, prepareCudaCastKind } from './cuda/quantize.js'
import { enqueueCudaRelayout, type RelayoutVerdict } from './cuda/relayout.js'

/** Loads what a cast needs; undefined when nothing is missing. */
export function prepareCast(
  device: DeviceRef,
  source: Tensor<FloatDType>,
  out: QuantizedTensor,
  transpose: boolean,
): Promise<unknown> | undefined {
  if (device instanceof CudaDevice) return prepareCudaCast(device, source, out, transpose)
  return undefined
}

/** Loads what all casts of a kind need; undefined when nothing is missing. */
export function prepareCastKind(device: DeviceRef, kind: CastKind): Promise<unknown> | undefined {
  return device instanceof CudaDevice ? prepareCudaCastKind(device, kind) : undefined
}

export function enqueueCast(
  stream: Stream,
  source: Tensor<FloatDType>,
  out: QuantizedTensor,
  transpose: boolean,
): void {
  if (stream.device instanceof CudaDevice) {
    enqueueCudaCast(stream as CudaStream, { source, out, transpose })
  } else cpuQuantize(cpuQueue(stream.device, stream), source, out, transpose)
}

/** Loads what a cast back needs; undefined when nothing is missing. */
export function prepareUncast(
  device: DeviceRef,
  source: QuantizedTensor,
  out: Tensor<FloatDType>,
): Promise<unknown> | undefined {
  if (device instanceof CudaDevice) return prepareCudaUncast(device, source, out)
  return undefined
}

export function enqueueUncast(
  stream: Stream,
  source: QuantizedTensor,
  out: Tensor<FloatDType>,
): void {
  if (stream.device instanceof CudaDevice) enqueueCudaUncast(stream as CudaStream, source, out)
  else cpuDequantize(cpuQueue(stream.device, stream), source, out)
}

/** Loads what a copy of scales needs; undefined when nothing is missing. */
export function prepareRelayout(device: DeviceRef): Promise<unknown> | undefined {
  if (device instanceof CudaDevice) return prepareScaleRelayout(device)
  return undefined
}

/** On a GPU, what is to be asked once the copy is done; on the CPU the stream says so itself. */
export function enqueueRelayout(
  stream: Stream,
  source: Scales,
  out: Scales,
  shape: readonly number[],
): RelayoutVerdict | undefined {
  if (stream.device instanceof CudaDevice) {
    return enqueueCudaRelayout(stream as CudaStream, source, out, shape)
  }
  cpuRelayoutScales(cpuQueue(stream.device, stream), source, out, shape)
  return undefined
}
