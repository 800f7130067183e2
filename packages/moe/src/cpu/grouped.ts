import { PrepackedWeights, Scales, type Tensor } from '@deepgemm/core'
import {
  type CpuQueue,
  cpuF32Scales,
  cpuGemmContiguous,
  cpuGemmKGrouped,
  cpuGemmMasked,
  cpuGemmPacked,
  cpuRelayoutScales,
  type KGroupedOperand,
} from '@deepgemm/runtime/cpu'
import type { GroupedWeightsCall, KGroupedCall, RowsWeightsCall } from '../grouped/call.js'
import type { KGroupedMatrix } from '../grouped/k-grouped-tensor.js'

const ROWS_OP = {
  contiguous: cpuGemmContiguous,
  packed: cpuGemmPacked,
  masked: cpuGemmMasked,
} as const

/**
 * Enqueues a grouped product. The kernels read f32 scales; ue8m0 scales are converted first, in
 * workspace that is freed when the product is done.
 */
export function enqueueCpuGrouped(queue: CpuQueue, call: GroupedWeightsCall): void {
  const workspace: Tensor[] = []
  if (call.layout === 'k-grouped') enqueueKGrouped(queue, call, workspace)
  else enqueueRows(queue, call, workspace)
  // The enqueued work holds the memory; this gives it up once that is done.
  for (const tensor of workspace) tensor.dispose()
}

function enqueueRows(queue: CpuQueue, call: RowsWeightsCall, workspace: Tensor[]): void {
  const { layout, problem, out, groups } = call
  const a = cpuF32Scales(queue, call.a, workspace)
  const isPrepacked = call.b instanceof PrepackedWeights
  const b = isPrepacked ? call.b : cpuF32Scales(queue, call.b, workspace)
  ROWS_OP[layout](queue, problem, { a, b, out, groups })
}

function enqueueKGrouped(queue: CpuQueue, call: KGroupedCall, workspace: Tensor[]): void {
  const { problem, out, groups } = call
  const a = kGroupedF32(queue, call.a, workspace)
  const b = kGroupedF32(queue, call.b, workspace)
  cpuGemmKGrouped(queue, problem, { a, b, out, groups })
}

function kGroupedF32(
  queue: CpuQueue,
  { values, scales }: KGroupedMatrix,
  workspace: Tensor[],
): KGroupedOperand {
  if (scales.dtype === 'f32') return { values, scales: scales as Tensor<'f32'> }
  const [columns, rows] = scales.shape as readonly [number, number]
  const converted = queue.device.zeros({
    dtype: 'f32',
    shape: [columns, rows],
    label: 'k-grouped f32 scales',
  })
  workspace.push(converted)
  // Any recipe whose grid is the whole tensor will do: 128x1 of [128 · columns, rows].
  const grid = { recipe: '128x1', orientation: 'k-major' } as const
  const shape = [columns * 128, rows]
  cpuRelayoutScales(queue, new Scales(scales, grid), new Scales(converted, grid), shape)
  return { values, scales: converted }
}
