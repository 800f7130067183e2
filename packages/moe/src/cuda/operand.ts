// Weights in the form that the products of a GPU read.

import { QuantizedTensor, roundUp, type Tensor } from '@deepgemm/core'
import { enqueueScaleRelayout, prepareScaleRelayout } from '@deepgemm/jit'
import { allocateQuantized, allocateScales } from '@deepgemm/runtime'
import type { CudaStream } from '@deepgemm/runtime/cuda'

/** A product has a multiple of so many columns, so a router has as many rows. */
export const ROUTER_ROWS = 8

/** What a bulk copy needs of addresses, in bytes. */
const ALIGNMENT = 16

/**
 * The operand with f32 scales in the orientation that kernels copy in bulk. What has to be made for
 * that joins `made`, to be disposed after the last product.
 */
export async function readableOperand(
  stream: CudaStream,
  operand: QuantizedTensor,
  made: Tensor[],
): Promise<QuantizedTensor> {
  const { values, scales, shape, recipe } = operand
  const orientation = recipe === '1x128' ? 'mn-major' : 'k-major'
  const { tensor } = scales
  const isDense = tensor.isContiguous && tensor.byteOffset % ALIGNMENT === 0
  if (scales.dtype === 'f32' && scales.orientation === orientation && isDense) return operand
  const loading = prepareScaleRelayout(stream.device)
  if (loading !== undefined) await loading
  const readable = allocateScales(stream.device, { shape, recipe, orientation })
  made.push(readable.tensor)
  enqueueScaleRelayout(stream, scales, readable, { shape })
  return new QuantizedTensor(values, readable)
}

/**
 * The matrix [R, C] with rows of zeros below it, up to a multiple of `multiple`: a product of it has
 * as many columns. Scales are f32.
 */
export async function withPaddedRows(
  stream: CudaStream,
  matrix: QuantizedTensor,
  multiple: number,
  made: Tensor[],
): Promise<QuantizedTensor> {
  const [rows, columns] = matrix.shape as readonly [number, number]
  const shape = [roundUp(rows, multiple), columns]
  if (shape[0] === rows) return matrix
  const { recipe } = matrix
  const { orientation } = matrix.scales
  const padded = allocateQuantized(stream.device, { shape, recipe, orientation, label: 'router' })
  made.push(padded.values, padded.scales.tensor)
  await padded.values.storage.write(padded.values.byteOffset, await matrix.values.toBytes())
  const target = padded.scales.tensor
  const bytes = await matrix.scales.tensor.toBytes()
  const rowBytes = (matrix.scales.tensor.shape[1] as number) * 4
  const step = (target.shape[1] as number) * 4
  for (let at = 0, to = target.byteOffset; at < bytes.length; at += rowBytes, to += step) {
    await target.storage.write(to, bytes.subarray(at, at + rowBytes))
  }
  return padded
}
