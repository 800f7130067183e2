import {
  type GemmForm,
  QuantizedTensor,
  type Scales,
  type Tensor,
  transposeScales,
} from '@deepgemm/core'
import { allocateScales } from '@deepgemm/runtime'
import { type CpuQueue, cpuGemm, cpuRelayoutScales, cpuTransposeBytes } from '@deepgemm/runtime/cpu'
import type { GemmCall } from '../backend.js'

/**
 * Enqueues a product of any form. The kernels read K-major operands with f32 scales; other
 * operands are brought into that form first, in workspace that is freed when the product is done.
 */
export function enqueueCpuGemm(queue: CpuQueue, { form, problem, a, b, out }: GemmCall): void {
  const workspace: Tensor[] = []
  const operands = {
    a: prepare(queue, a, isTransposed('a', form), workspace),
    b: prepare(queue, b, isTransposed('b', form), workspace),
    out,
  }
  cpuGemm(queue, problem, operands)
  // The enqueued work holds the memory; this gives it up once that is done.
  for (const tensor of workspace) tensor.dispose()
}

/** Whether an operand is stored with K outermost. */
function isTransposed(operand: 'a' | 'b', form: GemmForm): boolean {
  return operand === 'a' ? form[0] === 'T' : form[1] === 'N'
}

function prepare(
  queue: CpuQueue,
  operand: QuantizedTensor,
  transposed: boolean,
  workspace: Tensor[],
): QuantizedTensor {
  const scales = f32Scales(queue, operand, workspace)
  if (!transposed) return new QuantizedTensor(operand.values, scales)
  const shape = operand.values.transpose().shape
  const values = queue.device.zeros({ dtype: 'e4m3', shape, label: 'K-major operand' })
  workspace.push(values)
  cpuTransposeBytes(queue, operand.values, values)
  return new QuantizedTensor(values, transposeScales(scales, operand.shape))
}

function f32Scales(queue: CpuQueue, operand: QuantizedTensor, workspace: Tensor[]): Scales {
  const { scales, shape, recipe } = operand
  if (scales.dtype === 'f32') return scales
  const { orientation } = scales
  const converted = allocateScales(queue.device, { shape, recipe, orientation })
  workspace.push(converted.tensor)
  cpuRelayoutScales(queue, scales, converted, shape)
  return converted
}
