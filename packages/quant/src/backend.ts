// The one place that knows which devices can cast.

import type { DeviceRef, FloatDType, QuantizedTensor, Scales, Tensor } from '@deepgemm/core'
import type { Stream } from '@deepgemm/runtime'
import { cpuDequantize, cpuQuantize, cpuQueue, cpuRelayoutScales } from '@deepgemm/runtime/cpu'
import { CudaDevice, type CudaStream } from '@deepgemm/runtime/cuda'
import { enqueueCudaCast, prepareCudaCast } from './cuda/quantize.js'
import { requireCpu } from './cuda/requirements.js'

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

export function enqueueCast(
  stream: Stream,
  source: Tensor<FloatDType>,
  out: QuantizedTensor,
  transpose: boolean,
): void {
  if (stream.device instanceof CudaDevice) {
    enqueueCudaCast(stream as CudaStream, source, out, transpose)
  } else cpuQuantize(cpuQueue(stream.device, stream), source, out, transpose)
}

/** @throws {DeviceError} where values and scales cannot be converted back */
export function requireUncast(device: DeviceRef): void {
  requireCpu('dequantise', device)
}

export function enqueueUncast(
  stream: Stream,
  source: QuantizedTensor,
  out: Tensor<FloatDType>,
): void {
  cpuDequantize(cpuQueue(stream.device, stream), source, out)
}

/** @throws {DeviceError} where scales cannot be converted */
export function requireRelayout(device: DeviceRef): void {
  requireCpu('convert scales', device)
}

export function enqueueRelayout(
  stream: Stream,
  source: Scales,
  out: Scales,
  shape: readonly number[],
): void {
  cpuRelayoutScales(cpuQueue(stream.device, stream), source, out, shape)
}
