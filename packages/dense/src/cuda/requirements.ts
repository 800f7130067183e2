// What a product must be for the Hopper kernels. Everything else is refused here.

import {
  DeviceError,
  type GemmForm,
  LayoutError,
  type QuantizedTensor,
  RecipeError,
  ShapeError,
  type Tensor,
} from '@deepgemm/core'
import { requireSm90Extents } from '@deepgemm/core/sm90'
import type { GemmCall } from '../backend.js'

/** What bulk copies need of addresses and of the distance between rows, in bytes. */
const ALIGNMENT = 16

/** @throws {DeviceError} */
export function requireCudaForm(form: GemmForm): void {
  if (form === 'NT') return
  throw new DeviceError('The GPU does not multiply this form', {
    given: form,
    allowed: 'NT: A [M, K] and B [N, K]',
    remedy: 'Quantise the transposed operand with { transpose: true }, or use the CPU device.',
  })
}

/** @throws {DeviceError | ShapeError | RecipeError | LayoutError} */
export function requireCudaCall({ form, problem, a, b, out }: GemmCall): void {
  requireCudaForm(form)
  if (a.shape.length === 3) throw batchRefusal(a)
  requireSm90Extents(problem)
  for (const [name, operand] of [['A', a] as const, ['B', b] as const]) {
    requireRows(`The values of ${name}`, operand.values, 1)
    requireScales(name, operand)
  }
  requireRows('The output', out, problem.out === 'bf16' ? 2 : 4)
}

function batchRefusal(a: QuantizedTensor): ShapeError {
  return new ShapeError('The GPU multiplies no batches', {
    given: `operands of rank ${a.shape.length}`,
    allowed: 'matrices',
    remedy: 'Multiply the matrices of the batch one by one, or use the CPU device.',
  })
}

function requireRows(subject: string, tensor: Tensor, elementBytes: number): void {
  const rowBytes = (tensor.strides[0] as number) * elementBytes
  const isDense = tensor.strides[1] === 1
  const isAligned = tensor.byteOffset % ALIGNMENT === 0 && rowBytes % ALIGNMENT === 0
  if (isDense && isAligned) return
  throw new LayoutError(`${subject} cannot be copied in bulk`, {
    given: `strides [${tensor.strides.join(', ')}], byte offset ${tensor.byteOffset}`,
    allowed: `rows back to back inside, at multiples of ${ALIGNMENT} bytes`,
    remedy: 'Use whole tensors, or views that start at such a row and column.',
  })
}

function requireScales(name: string, { scales, recipe }: QuantizedTensor): void {
  if (scales.dtype !== 'f32') {
    throw new RecipeError(`The GPU cannot read the scales of ${name}`, {
      given: scales.dtype,
      allowed: 'f32',
      remedy: 'Quantise with f32 scales.',
    })
  }
  const orientation = recipe === '1x128' ? 'mn-major' : 'k-major'
  const { tensor } = scales
  const isAligned = tensor.isContiguous && tensor.byteOffset % ALIGNMENT === 0
  if (scales.orientation === orientation && isAligned) return
  throw new LayoutError(`The GPU cannot read the scales of ${name}`, {
    given: `${recipe} scales, ${scales.orientation}${isAligned ? '' : ', a view'}`,
    allowed: `${orientation}, contiguous`,
    remedy: 'Use the orientation that quantize chooses by default.',
  })
}
