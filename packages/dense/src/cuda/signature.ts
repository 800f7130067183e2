// What tells two runs of a plan apart, as numbers that compare quickly.

import type { QuantizedTensor, Tensor } from '@deepgemm/core'
import type { CudaBuffer, CudaStream } from '@deepgemm/runtime/cuda'
import type { GemmPlacement } from '../backend.js'

/** Of a tensor: its storage, offset, dtype, rank, three extents and three strides. */
const PER_TENSOR = 10
const TENSORS = 5
/** And of a run: the formats of both scales, the stream and the promise about the weights. */
export const SIGNATURE_LENGTH: number = PER_TENSOR * TENSORS + 4

const DTYPES = ['e4m3', 'f32', 'ue8m0', 'bf16']
const RECIPES = ['1x128', '128x128', '128x1']

/**
 * Writes all that validation and arguments depend on: equal signatures of live tensors pose the
 * same launches. Storages count by a number that is never used twice, so nothing is kept alive.
 * Tensors that are not of a GPU write NaN, which equals nothing.
 */
export function writeSignature(into: Float64Array, placement: GemmPlacement): void {
  const { a, b, out, stream, weightsReady } = placement
  writeTensor(into, 0, a.values)
  writeTensor(into, PER_TENSOR, a.scales.tensor)
  writeTensor(into, 2 * PER_TENSOR, b.values)
  writeTensor(into, 3 * PER_TENSOR, b.scales.tensor)
  writeTensor(into, 4 * PER_TENSOR, out)
  const rest = TENSORS * PER_TENSOR
  into[rest] = formatOf(a)
  into[rest + 1] = formatOf(b)
  into[rest + 2] = (stream as CudaStream).serial
  into[rest + 3] = weightsReady ? 1 : 0
}

function writeTensor(into: Float64Array, at: number, tensor: Tensor): void {
  const { storage, shape, strides } = tensor
  const rank = shape.length
  into[at] = (storage as CudaBuffer).serial
  into[at + 1] = tensor.byteOffset
  into[at + 2] = DTYPES.indexOf(tensor.dtype)
  into[at + 3] = rank
  for (let i = 0; i < 3; i++) {
    into[at + 4 + i] = i < rank ? (shape[i] as number) : 0
    into[at + 7 + i] = i < rank ? (strides[i] as number) : 0
  }
}

function formatOf({ scales }: QuantizedTensor): number {
  return 2 * RECIPES.indexOf(scales.recipe) + (scales.orientation === 'k-major' ? 1 : 0)
}

/** A number in [0, `slots`) of a signature; `slots` is a power of two. */
export function slotOf(signature: Float64Array, slots: number): number {
  let hash = 0
  // Storage, offset and first extent tell most tensors apart.
  for (let at = 0; at < TENSORS * PER_TENSOR; at += PER_TENSOR) {
    hash = mix(hash, signature[at] as number)
    hash = mix(hash, signature[at + 1] as number)
    hash = mix(hash, signature[at + 4] as number)
  }
  for (let at = TENSORS * PER_TENSOR; at < SIGNATURE_LENGTH; at++) {
    hash = mix(hash, signature[at] as number)
  }
  return (hash ^ (hash >>> 15)) & (slots - 1)
}

function mix(hash: number, value: number): number {
  return (Math.imul(hash, 0x9e3779b1) + value) | 0
}

export function sameSignature(x: Float64Array, y: Float64Array): boolean {
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return false
  return true
}
