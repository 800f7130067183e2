import type { GroupLayout, Tensor } from '@deepgemm/core'
import {
  clusterSize,
  type GroupedExtents,
  type Sm90Choice,
  type Sm90Schedule,
  sm90DivisionNumbers,
  sm90Divisions,
  sm90GroupedMaps,
  sm90Threads,
  type TensorMapSpec,
} from '@deepgemm/core/sm90'
import { ArgumentList, type Geometry } from '@deepgemm/runtime/cuda'
import type { GroupedCall } from '../grouped/call.js'
import type { GroupedScales } from './grouped-scales.js'

/** Where tiles that are shared along K keep their partial sums; undefined when none are. */
export type PartialSums = { readonly partials: Tensor; readonly flags: Tensor } | undefined

export function groupedGeometry({ config, schedule }: Sm90Choice): Geometry {
  return {
    grid: [schedule.grid],
    block: [sm90Threads(config)],
    cluster: [clusterSize(config)],
    programmatic: true,
  }
}

/** The members of `GemmArguments` (`kernels/cuda/entry/arguments.cuh`) in their order. */
export function groupedArguments(
  { config, schedule }: Sm90Choice,
  call: GroupedCall,
  scales: GroupedScales,
  extents: GroupedExtents,
  workspace: PartialSums,
): ArgumentList {
  const { layout, a, b, out, groups } = call
  const maps = sm90GroupedMaps(config, extents, {
    a: rowStride(a.values),
    b: rowStride(b.values),
    out: rowStride(out) * (call.problem.out === 'bf16' ? 2 : 4),
    ...(layout === 'k-grouped' && { scales: slicedScaleBytes(scales) }),
  })
  const [left, right] = config.swapped ? [b, a] : [a, b]
  const [leftScales, rightScales] = config.swapped ? [scales.b, scales.a] : [scales.a, scales.b]
  const tokens = layout === 'masked' ? extents.groups * extents.m : extents.m
  const [leftExtent, rightExtent] = config.swapped ? [extents.n, tokens] : [tokens, extents.n]
  const list = new ArgumentList('struct')
  map(list, left.values, maps.left)
  map(list, right.values, maps.right)
  map(list, leftScales, maps.leftScales)
  map(list, rightScales, maps.rightScales)
  map(list, out, maps.out)
  const hasBlocks = layout !== 'k-grouped'
  list
    .pointer(hasBlocks ? scales.b : undefined)
    .pointer(out)
    .pointer(workspace?.partials)
    .pointer(workspace?.flags)
    .i64(rowStride(out))
    .u32(hasBlocks ? rowStride(scales.b) : 0)
    .u32(leftExtent)
    .u32(rightExtent)
    .u32(extents.k)
    .u32(schedule.leftTiles)
    .u32(schedule.rightTiles)
    .u32(schedule.band)
    .u32(schedule.workers)
    .u32(schedule.streamedTiles)
    .u32(call.groupsReady ? 1 : 0)
    .pointer(groups)
    .u32(extents.groups)
    .u32(layout === 'masked' || layout === 'k-grouped' ? extents.m : 0)
  for (const number of divisionNumbers(schedule, layout, extents.k)) list.u32(number)
  return list
}

/** Slices of K have the tiles of dense products; of other layouts only the GPU knows the tiles. */
function divisionNumbers(
  schedule: Sm90Schedule,
  layout: GroupLayout,
  k: number,
): readonly number[] {
  if (layout === 'k-grouped') return sm90DivisionNumbers(sm90Divisions(schedule, k))
  return new Array<number>(10).fill(0)
}

function slicedScaleBytes({ a, b }: GroupedScales): { a: number; b: number; rows: number } {
  const rows = Math.min(a.shape[0] as number, b.shape[0] as number)
  return { a: 4 * rowStride(a), b: 4 * rowStride(b), rows }
}

/** Elements from one row of a matrix to the next. */
function rowStride(tensor: Tensor): number {
  return tensor.strides.at(-2) as number
}

function map(list: ArgumentList, tensor: Tensor, spec: TensorMapSpec | undefined): void {
  if (spec === undefined) list.tensorMap(undefined)
  // 256 B were measured to be slower, see docs/gpu-notes.md.
  else list.tensorMap(tensor, { ...spec, l2Promotion: 128 })
}
