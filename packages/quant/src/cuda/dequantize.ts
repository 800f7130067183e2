import {
  blockOf,
  dtypeBytes,
  type FloatDType,
  type QuantizedTensor,
  type Tensor,
} from '@deepgemm/core'
import { isAligned, SM90_DEQUANTIZE_TILE, type Sm90DequantizeConfig } from '@deepgemm/core/sm90'
import {
  type CastExtents,
  deviceKernels,
  groupStride,
  pushScaleGrid,
  requireCastExtents,
  rowStride,
  scaleGridView,
} from '@deepgemm/jit'
import {
  ArgumentList,
  type CudaDevice,
  type CudaKernel,
  type CudaStream,
} from '@deepgemm/runtime/cuda'
import { dequantizeKernel } from './kernel.js'

const THREADS = 256

function dequantizeConfig(source: QuantizedTensor, out: Tensor<FloatDType>): Sm90DequantizeConfig {
  const aligned = isAligned(source.values, 1, 8) && isAligned(out, dtypeBytes(out.dtype))
  return { target: 'sm_90a', out: out.dtype, aligned }
}

/**
 * Compiles and loads the kernel of a cast back; undefined when that is done already.
 *
 * @throws {ShapeError | CompileError | CacheError | CudaError}
 */
export function prepareCudaUncast(
  device: CudaDevice,
  source: QuantizedTensor,
  out: Tensor<FloatDType>,
): Promise<unknown> | undefined {
  requireCastExtents('The tensor to dequantise', source.shape)
  const kernels = deviceKernels(device)
  const spec = dequantizeKernel(dequantizeConfig(source, out))
  return out.size === 0 || kernels.loaded(spec) ? undefined : kernels.load([spec])
}

/** After `prepareCudaUncast`. */
export function enqueueCudaUncast(
  stream: CudaStream,
  source: QuantizedTensor,
  out: Tensor<FloatDType>,
): void {
  if (out.size === 0) return
  const extents = requireCastExtents('The tensor to dequantise', source.shape)
  const spec = dequantizeKernel(dequantizeConfig(source, out))
  const kernel = deviceKernels(stream.device).loaded(spec) as CudaKernel
  const rowTiles = Math.ceil(extents.rows / SM90_DEQUANTIZE_TILE.rows)
  const columnTiles = Math.ceil(extents.columns / SM90_DEQUANTIZE_TILE.columns)
  const args = uncastArguments(source, out, extents, { rowTiles, columnTiles })
  const grid = [extents.groups * rowTiles * columnTiles] as const
  kernel.launch(args, { grid, block: [THREADS], programmatic: true }, stream)
}

/** The members of `DequantizeArguments` (`kernels/cuda/quantize/arguments.cuh`) in their order. */
function uncastArguments(
  { values, scales, recipe }: QuantizedTensor,
  out: Tensor<FloatDType>,
  { rows, columns }: CastExtents,
  { rowTiles, columnTiles }: { readonly rowTiles: number; readonly columnTiles: number },
): ArgumentList {
  const list = new ArgumentList('struct').pointer(values).pointer(out)
  const block = blockOf(recipe)
  return pushScaleGrid(list, scaleGridView(scales, values.shape))
    .i64(groupStride(values))
    .i64(rowStride(values))
    .i64(groupStride(out))
    .i64(rowStride(out))
    .u32(rows)
    .u32(columns)
    .u32(rowTiles)
    .u32(columnTiles)
    .u32(Math.log2(block.rows))
    .u32(Math.log2(block.cols))
}
