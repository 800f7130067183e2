import type { QuantizedTensor, Tensor } from '@deepgemm/core'
import { OpArgs } from '../args.js'
import type { CpuQueue } from '../queue.js'
import { groupStride, rowStride } from './operands.js'

/** Enqueues the rearrangement of the values of `weights` [N, K] or [G, N, K] into `panels`. */
export function cpuPrepack(queue: CpuQueue, { values }: QuantizedTensor, panels: Tensor): void {
  const [rows, cols] = [values.shape.at(-2) as number, values.shape.at(-1) as number]
  const groups = values.shape.length === 3 ? (values.shape[0] as number) : 1
  const args = new OpArgs().numbers(groups, rows, cols)
  args.pointer(values).numbers(groupStride(values), rowStride(values))
  args.pointer(panels)
  args.enqueue('prepack', queue.device, queue.stream)
}
