import {
  type GemmForm,
  PrepackedWeights,
  QuantizedTensor,
  type Tensor,
  transposeScales,
} from '@deepgemm/core'
import { type CpuQueue, cpuF32Scales, cpuGemm, cpuTransposeBytes } from '@deepgemm/runtime/cpu'
import type { WeightsCall } from '../backend.js'

/**
 * Enqueues a product of any form. The kernels read K-major operands with f32 scales; other
 * operands are brought into that form first, in workspace that is freed when the product is done.
 */
export function enqueueCpuGemm(queue: CpuQueue, { form, problem, a, b, out }: WeightsCall): void {
  const workspace: Tensor[] = []
  const operands = {
    a: prepare(queue, a, isTransposed('a', form), workspace),
    b: b instanceof PrepackedWeights ? b : prepare(queue, b, isTransposed('b', form), workspace),
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
  const readable = cpuF32Scales(queue, operand, workspace)
  if (!transposed) return readable
  const { values, scales } = readable
  const shape = values.transpose().shape
  const kMajor = queue.device.zeros({ dtype: 'e4m3', shape, label: 'K-major operand' })
  workspace.push(kMajor)
  cpuTransposeBytes(queue, values, kMajor)
  return new QuantizedTensor(kMajor, transposeScales(scales, operand.shape))
}
