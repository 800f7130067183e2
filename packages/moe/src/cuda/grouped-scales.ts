// Scales in the form that the kernels read: f32, 1x128 ones mn-major, all groups in one piece. Those
// in another form are copied to workspace of the stream first.

import { roundUp, Scales, scaleGrid, scaleShape, Tensor } from '@deepgemm/core'
import { enqueueScaleRelayout } from '@deepgemm/jit'
import type { CudaStream } from '@deepgemm/runtime/cuda'
import type { GroupedCall } from '../grouped/call.js'
import type { KGroupedMatrix } from '../grouped/k-grouped-tensor.js'

const ALIGNMENT = 16

export type GroupedScales = { readonly a: Tensor; readonly b: Tensor }

/** The scales of both operands; enqueues the copies that are needed. */
export function groupedScales(stream: CudaStream, call: GroupedCall): GroupedScales {
  if (call.layout === 'k-grouped') {
    return { a: slicedScales(stream, 'A', call.a), b: slicedScales(stream, 'B', call.b) }
  }
  return {
    a: rowScales(stream, 'A', call.a.scales, call.a.shape),
    b: rowScales(stream, 'B', call.b.scales, call.b.shape),
  }
}

function rowScales(
  stream: CudaStream,
  name: 'A' | 'B',
  scales: Scales,
  shape: readonly number[],
): Tensor {
  const { tensor, recipe } = scales
  const orientation = recipe === '1x128' ? 'mn-major' : 'k-major'
  const isAligned = tensor.isContiguous && tensor.byteOffset % ALIGNMENT === 0
  if (scales.dtype === 'f32' && scales.orientation === orientation && isAligned) return tensor
  const grid = scaleGrid(recipe, shape.at(-2) as number, shape.at(-1) as number)
  const made = room(stream, name, [...shape.slice(0, -2), ...scaleShape(grid, orientation)])
  enqueueScaleRelayout(stream, scales, new Scales(made, { recipe, orientation }), { shape })
  return made
}

/** [Σ⌈Kg/128⌉, R]: rows of scales at multiples of 16 bytes. */
function slicedScales(stream: CudaStream, name: 'A' | 'B', { scales }: KGroupedMatrix): Tensor {
  const [columns, rows] = scales.shape as readonly [number, number]
  const isAligned = scales.byteOffset % ALIGNMENT === 0 && (scales.strides[0] as number) % 4 === 0
  const isReadable = scales.dtype === 'f32' && isAligned && scales.strides[1] === 1
  if (isReadable && columns > 0) return scales
  // Where no group has a column the kernel reads no scale, but is told where they would be.
  const made = room(stream, name, [Math.max(columns, 1), roundUp(rows, 4)]).slice(1, 0, rows)
  if (columns === 0) return made
  // Any recipe whose grid is the whole tensor will do: 128x1 of [128 · columns, rows].
  const format = { recipe: '128x1', orientation: 'k-major' } as const
  const shape = [columns * 128, rows]
  enqueueScaleRelayout(stream, new Scales(scales, format), new Scales(made, format), { shape })
  return made
}

function room(stream: CudaStream, name: 'A' | 'B', shape: readonly number[]): Tensor<'f32'> {
  const bytes = 4 * shape.reduce((product, extent) => product * extent, 1)
  const { storage } = stream.workspace(`grouped scales of ${name}`, bytes)
  return new Tensor(storage, { dtype: 'f32', shape })
}
