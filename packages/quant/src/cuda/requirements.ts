// What a cast must be for the Hopper kernels, and which of them it takes. Pure.

import {
  DeviceError,
  type DeviceRef,
  dtypeBytes,
  type FloatDType,
  type QuantizedTensor,
  ShapeError,
  showShape,
  type Tensor,
} from '@deepgemm/core'
import type { Sm90CastConfig } from '@deepgemm/core/sm90'

/** @throws {DeviceError | ShapeError} */
export function requireCudaCast(
  source: Tensor<FloatDType>,
  out: QuantizedTensor,
  transpose: boolean,
): void {
  if (transpose || out.recipe === '128x1') {
    throw new DeviceError('The GPU does not quantise this way', {
      given: `${out.recipe}${transpose ? ', transposed' : ''}`,
      allowed: '1x128 or 128x128, not transposed',
      remedy: 'Use the CPU device.',
    })
  }
  if (source.shape.length === 2) return
  throw new ShapeError('The GPU quantises no groups', {
    given: showShape(source.shape),
    allowed: 'a matrix',
    remedy: 'Quantise the matrices one by one, or use the CPU device.',
  })
}

/** The kernel of a cast that `requireCudaCast` lets through. */
export function castConfig(source: Tensor<FloatDType>, out: QuantizedTensor): Sm90CastConfig {
  const width = dtypeBytes(source.dtype)
  const rowBytes = [source.strides[0], source.shape[1]].map((count) => (count as number) * width)
  const isSourceAligned = [source.byteOffset, ...rowBytes].every((bytes) => bytes % 16 === 0)
  const isValuesAligned = [out.values.byteOffset, out.values.strides[0]].every(
    (bytes) => (bytes as number) % 8 === 0,
  )
  return {
    target: 'sm_90a',
    recipe: out.recipe as Sm90CastConfig['recipe'],
    source: source.dtype,
    scaleDType: out.scales.dtype,
    aligned: isSourceAligned && isValuesAligned,
  }
}

/** What is said when a cast is to be enqueued at once, but would have to be compiled first. */
export function notLoaded({ recipe, source, scaleDType }: Sm90CastConfig): DeviceError {
  return new DeviceError('The kernel of a cast is not loaded', {
    given: `${source} to ${recipe} with ${scaleDType} scales`,
    allowed: 'casts of a kind that quantize() has done on this device',
    remedy: 'Await one quantize() of this kind first: it compiles the kernel.',
  })
}

/** @throws {DeviceError} on a GPU */
export function requireCpu(verb: string, device: DeviceRef): void {
  if (device.kind === 'cpu') return
  throw new DeviceError(`The GPU cannot ${verb}`, {
    given: device.id,
    allowed: 'a CPU device',
    remedy: 'Read the bytes with toBytes() and make the tensor on a CPU device.',
  })
}
