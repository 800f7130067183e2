import type { GemmProblem, QuantizedTensor, Tensor } from '@deepgemm/core'
import {
  clusterSize,
  isStaged,
  operandExtents,
  type Sm90Choice,
  type Sm90Config,
  sm90DivisionNumbers,
  sm90Divisions,
  sm90TensorMaps,
  sm90Threads,
  type TensorMapSpec,
} from '@deepgemm/core/sm90'
import { ArgumentList, type Geometry } from '@deepgemm/runtime/cuda'
import type { PartialSums } from './workspace.js'

/** One product of matrices that kernels can read. */
export type KernelCall = {
  readonly problem: GemmProblem
  readonly a: QuantizedTensor
  readonly b: QuantizedTensor
  readonly out: Tensor
  /** No kernel that may still run writes B or its scales. */
  readonly weightsReady: boolean
}

export function gemmGeometry({ config, schedule }: Sm90Choice): Geometry {
  return {
    grid: [schedule.grid],
    block: [sm90Threads(config)],
    cluster: [clusterSize(config)],
    programmatic: true,
  }
}

/** The members of `GemmArguments` (`kernels/cuda/entry/arguments.cuh`) in their order. */
export function gemmArguments(
  { config, schedule }: Sm90Choice,
  { problem, a, b, out, weightsReady }: KernelCall,
  workspace: PartialSums,
): ArgumentList {
  const outBytes = (out.strides[0] as number) * (problem.out === 'bf16' ? 2 : 4)
  const maps = sm90TensorMaps(config, problem, {
    a: a.values.strides[0] as number,
    b: b.values.strides[0] as number,
    out: outBytes,
  })
  const [left, right] = config.swapped ? [b, a] : [a, b]
  const blockScales = blockScalesOf(config, b.scales.tensor)
  const extents = operandExtents(config, problem)
  const list = new ArgumentList('struct')
  map(list, left.values, maps.left)
  map(list, right.values, maps.right)
  map(list, left.scales.tensor, maps.leftScales)
  map(list, right.scales.tensor, maps.rightScales)
  map(list, out, maps.out)
  const divisions = sm90Divisions(schedule, problem.k)
  list
    .pointer(blockScales)
    .pointer(out)
    .pointer(workspace?.partials)
    .pointer(workspace?.flags)
    .i64(out.strides[0] as number)
    .u32((blockScales?.strides[0] ?? 0) as number)
    .u32(extents.left)
    .u32(extents.right)
    .u32(problem.k)
    .u32(schedule.leftTiles)
    .u32(schedule.rightTiles)
    .u32(schedule.band)
    .u32(schedule.workers)
    .u32(schedule.streamedTiles)
    .u32(weightsReady ? 1 : 0)
    .pointer(undefined)
    .u32(0)
    .u32(0)
  for (const number of sm90DivisionNumbers(divisions)) list.u32(number)
  return list
}

/** The tensors whose addresses `gemmArguments` has, in their order. */
export function gemmAddresses(
  config: Sm90Config,
  { a, b, out }: Pick<KernelCall, 'a' | 'b' | 'out'>,
  workspace: PartialSums,
): readonly Tensor[] {
  const [left, right] = config.swapped ? [b, a] : [a, b]
  const tensors: Tensor[] = [left.values, right.values]
  if (config.leftScaling === 'vectors') tensors.push(left.scales.tensor)
  if (config.rightScaling === 'vectors') tensors.push(right.scales.tensor)
  if (isStaged(config)) tensors.push(out)
  const blockScales = blockScalesOf(config, b.scales.tensor)
  if (blockScales !== undefined) tensors.push(blockScales)
  tensors.push(out)
  if (workspace !== undefined) tensors.push(workspace.partials, workspace.flags)
  return tensors
}

function blockScalesOf(config: Sm90Config, scales: Tensor): Tensor | undefined {
  const hasBlocks = config.leftScaling === 'blocks' || config.rightScaling === 'blocks'
  return hasBlocks ? scales : undefined
}

function map(list: ArgumentList, tensor: Tensor, spec: TensorMapSpec | undefined): void {
  if (spec === undefined) list.tensorMap(undefined)
  // 256 B were measured to be slower, see docs/gpu-notes.md.
  else list.tensorMap(tensor, { ...spec, l2Promotion: 128 })
}
