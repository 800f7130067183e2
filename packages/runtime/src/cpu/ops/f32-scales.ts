import { QuantizedTensor, type Tensor } from '@deepgemm/core'
import { allocateScales } from '../../quantized.js'
import type { CpuQueue } from '../queue.js'
import { cpuRelayoutScales } from './cast.js'

/**
 * The operand with f32 scales, which the products read. ue8m0 scales are converted, exactly, into
 * memory that joins `workspace`: dispose it once the product is enqueued.
 */
export function cpuF32Scales(
  queue: CpuQueue,
  operand: QuantizedTensor,
  workspace: Tensor[],
): QuantizedTensor {
  const { values, scales, shape, recipe } = operand
  if (scales.dtype === 'f32') return operand
  const { orientation } = scales
  const converted = allocateScales(queue.device, { shape, recipe, orientation })
  workspace.push(converted.tensor)
  cpuRelayoutScales(queue, scales, converted, shape)
  return new QuantizedTensor(values, converted)
}
