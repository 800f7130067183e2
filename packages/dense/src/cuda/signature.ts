// What tells two runs of a plan apart, as numbers that compare quickly.

import type { QuantizedTensor, Tensor } from '@deepgemm/core'
import type { CudaBuffer, CudaStream } from '@deepgemm/runtime/cuda'
import type { GemmPlacement } from '../backend.js'

const TENSORS = 5
/** Of a tensor's shape: rank and dtype, alignment, three extents and three strides. */
const PER_SHAPE = 8
/** And of a run: the formats of both scales and the promise about the weights. */
export const SHAPE_LENGTH: number = TENSORS * PER_SHAPE + 3
/** Of a tensor's place: its storage and offset; and the stream. */
export const IDENTITY_LENGTH: number = TENSORS * 2 + 1

/** Offsets that differ by this are the same to copies and kernels, in bytes. */
const ALIGNMENT = 16

const DTYPES = ['e4m3', 'f32', 'ue8m0', 'bf16']
const RECIPES = ['1x128', '128x128', '128x1']

/**
 * Writes all that validation and arguments depend on, except where tensors lie: equal numbers pose
 * the same launch at other addresses.
 */
export function writeShape(into: Float64Array, placement: GemmPlacement): void {
  const { a, b, out } = placement
  writeTensor(into, 0, a.values)
  writeTensor(into, PER_SHAPE, a.scales.tensor)
  writeTensor(into, 2 * PER_SHAPE, b.values)
  writeTensor(into, 3 * PER_SHAPE, b.scales.tensor)
  writeTensor(into, 4 * PER_SHAPE, out)
  const rest = TENSORS * PER_SHAPE
  into[rest] = formatOf(a)
  into[rest + 1] = formatOf(b)
  into[rest + 2] = placement.weightsReady ? 1 : 0
}

function writeTensor(into: Float64Array, at: number, tensor: Tensor): void {
  const { shape, strides } = tensor
  const isBatch = shape.length === 3
  into[at] = 8 * DTYPES.indexOf(tensor.dtype) + shape.length
  into[at + 1] = tensor.byteOffset % ALIGNMENT
  // What has fewer dimensions writes NaN, which equals nothing, and is refused elsewhere.
  into[at + 2] = shape[0] as number
  into[at + 3] = shape[1] as number
  into[at + 4] = isBatch ? (shape[2] as number) : 0
  into[at + 5] = strides[0] as number
  into[at + 6] = strides[1] as number
  into[at + 7] = isBatch ? (strides[2] as number) : 0
}

function formatOf({ scales }: QuantizedTensor): number {
  return 2 * RECIPES.indexOf(scales.recipe) + (scales.orientation === 'k-major' ? 1 : 0)
}

/**
 * Writes where tensors lie and which stream it is. Storages and streams count by numbers that are
 * never used twice, so nothing is kept alive; tensors that are not of a GPU write NaN, which equals
 * nothing.
 */
export function writeIdentity(into: Float64Array, { a, b, out, stream }: GemmPlacement): void {
  writePlace(into, 0, a.values)
  writePlace(into, 2, a.scales.tensor)
  writePlace(into, 4, b.values)
  writePlace(into, 6, b.scales.tensor)
  writePlace(into, 8, out)
  into[10] = (stream as CudaStream).serial
}

function writePlace(into: Float64Array, at: number, { storage, byteOffset }: Tensor): void {
  into[at] = (storage as CudaBuffer).serial
  into[at + 1] = byteOffset
}

/** A number in [0, `slots`) for some numbers; `slots` is a power of two. */
export function slotOf(numbers: Float64Array, slots: number): number {
  let hash = 0
  for (let i = 0; i < numbers.length; i++) {
    hash = (Math.imul(hash, 0x9e3779b1) + (numbers[i] as number)) | 0
  }
  return (hash ^ (hash >>> 15)) & (slots - 1)
}

export function sameNumbers(x: Float64Array, y: Float64Array): boolean {
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return false
  return true
}
