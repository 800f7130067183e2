// Casts to e4m3 of what a layer brings into FP8 itself: tokens, float weights, float routers. The
// kernels are those of the casts of @deepgemm/quant.

import { dtypeBytes, type FloatDType, type QuantizedTensor, type Tensor } from '@deepgemm/core'
import {
  isAligned,
  type Sm90CastConfig,
  sm90CastEntry,
  sm90CastMembers,
  sm90CastTile,
  sm90SourceBlocks,
} from '@deepgemm/core/sm90'
import { type DeviceKernelSpec, pushScaleGrid, scaleGridView, transposedGrid } from '@deepgemm/jit'
import { ArgumentList, type CudaStream } from '@deepgemm/runtime/cuda'
import { kernelSpec, launchKernel, rowStride } from './kernel.js'

const THREADS = 256

/** A matrix [R, C] to quantise. */
export type CastCall = {
  readonly source: Tensor<FloatDType>
  /** [R, C], or [C, R] with `transpose`. */
  readonly out: QuantizedTensor
  readonly transpose: boolean
}

function castConfig({ source, out, transpose }: CastCall): Sm90CastConfig {
  const aligned =
    isAligned(source, dtypeBytes(source.dtype)) && isAligned(out.values, 1, transpose ? 16 : 8)
  return {
    target: 'sm_90a',
    blocks: sm90SourceBlocks(out.recipe, transpose),
    transposed: transpose,
    source: source.dtype,
    aligned,
  }
}

function castKernel(config: Sm90CastConfig): DeviceKernelSpec {
  return kernelSpec(sm90CastEntry(config), 'QuantizeConfig', sm90CastMembers(config))
}

export function castKernelOf(call: CastCall): DeviceKernelSpec {
  return castKernel(castConfig(call))
}

/** What the quantisation of tokens may launch: rows of any float dtype, aligned or not. */
export function tokenCastKernels(): readonly DeviceKernelSpec[] {
  const kind = { target: 'sm_90a', blocks: 'rows', transposed: false } as const
  return (['f32', 'f16', 'bf16'] as const).flatMap((source) =>
    [true, false].map((aligned) => castKernel({ ...kind, source, aligned })),
  )
}

/** @throws {DeviceError} when the kernel is not loaded */
export function enqueueCudaCast(stream: CudaStream, call: CastCall): void {
  const { source, out, transpose } = call
  if (source.size === 0) return
  const config = castConfig(call)
  const tile = sm90CastTile(config)
  const [rows, columns] = source.shape as readonly [number, number]
  const rowTiles = Math.ceil(rows / tile.rows)
  const columnTiles = Math.ceil(columns / tile.columns)
  const grid = scaleGridView(out.scales, out.shape)
  const list = new ArgumentList('struct').pointer(source).pointer(out.values)
  // The members of `QuantizeArguments` (`kernels/cuda/quantize/arguments.cuh`) in their order.
  pushScaleGrid(list, transpose ? transposedGrid(grid) : grid)
    .i64(0)
    .i64(rowStride(source))
    .i64(0)
    .i64(rowStride(out.values))
    .u32(rows)
    .u32(columns)
    .u32(rowTiles)
    .u32(columnTiles)
  const shape = { grid: [rowTiles * columnTiles], threads: THREADS } as const
  launchKernel(stream, castKernel(config), list, shape)
}
