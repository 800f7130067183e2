// Casts of float matrices to e4m3 with block scales: those of @deepgemm/quant, and of what an expert
// layer brings into FP8 itself.

import {
  DeviceError,
  dtypeBytes,
  type FloatDType,
  type QuantizedTensor,
  type Recipe,
  ShapeError,
  showShape,
  type Tensor,
} from '@deepgemm/core'
import {
  isAligned,
  type Sm90CastConfig,
  sm90CastEntry,
  sm90CastMembers,
  sm90CastTile,
  sm90SourceBlocks,
} from '@deepgemm/core/sm90'
import {
  ArgumentList,
  type CudaDevice,
  type CudaStream,
  type PreparedLaunch,
} from '@deepgemm/runtime/cuda'
import { type DeviceKernelSpec, deviceKernels } from '../device-kernels.js'
import { castForm, rememberedLaunch, rememberLaunch } from './cast-launches.js'
import { pushScaleGrid, scaleGridView, transposedGrid } from './scale-grid.js'
import { groupStride, rowStride } from './strides.js'

const THREADS = 256

/** Rows and columns are counted in 32 bits, tiles at the edge included. */
const MOST_EXTENT = 2 ** 31

/** A matrix to cast, or a group of them. */
export type CastCall = {
  readonly source: Tensor<FloatDType>
  /** [R, C], or [C, R] with `transpose`. */
  readonly out: QuantizedTensor
  readonly transpose: boolean
}

/** A matrix that is cast, or a group of them. */
export type CastExtents = {
  readonly groups: number
  readonly rows: number
  readonly columns: number
}

/** @throws {ShapeError} beyond what the kernels of casts, both ways, count */
export function requireCastExtents(subject: string, shape: readonly number[]): CastExtents {
  const [rows, columns] = [shape.at(-2) as number, shape.at(-1) as number]
  const groups = shape.length === 3 ? (shape[0] as number) : 1
  if (rows <= MOST_EXTENT && columns <= MOST_EXTENT) return { groups, rows, columns }
  throw new ShapeError(`${subject} is too large for the GPU's casts`, {
    given: showShape(shape),
    allowed: `at most ${MOST_EXTENT} rows and columns`,
    remedy: 'Cast slices of it.',
  })
}

export function castConfig(
  source: Tensor<FloatDType>,
  out: { readonly values: Tensor; readonly recipe: Recipe },
  transposed: boolean,
): Sm90CastConfig {
  const isSourceAligned = isAligned(source, dtypeBytes(source.dtype))
  return {
    target: 'sm_90a',
    blocks: sm90SourceBlocks(out.recipe, transposed),
    transposed,
    source: source.dtype,
    aligned: isSourceAligned && isAligned(out.values, 1, transposed ? 16 : 8),
  }
}

/** Kernels are looked up by their spec at every cast; there are few of them. */
const specs = new Map<string, DeviceKernelSpec>()

/** What is compiled and launched for a cast. The same object for the same config. */
export function castKernel(config: Sm90CastConfig): DeviceKernelSpec {
  const { target, blocks, transposed, source, aligned } = config
  const key = `${blocks} ${transposed} ${source} ${aligned}`
  const made = {
    name: sm90CastEntry(config),
    struct: 'QuantizeConfig',
    config: sm90CastMembers(config),
    target,
  }
  const spec = specs.get(key) ?? made
  specs.set(key, spec)
  return spec
}

/**
 * Enqueues a cast; one like an earlier one is the same launch at other addresses.
 *
 * @throws {DeviceError | ShapeError} also when the kernel is not loaded
 */
export function enqueueCast(stream: CudaStream, { source, out, transpose }: CastCall): void {
  if (source.size === 0) return
  const form = castForm(source, out, transpose)
  const earlier = rememberedLaunch(stream.device, form)
  if (earlier !== undefined) {
    earlier.rebind([source, out.values, out.scales.tensor])
    // False once the module is gone, which the way below says in words.
    if (earlier.run(stream)) return
  }
  const launch = castLaunch(stream.device, { source, out, transpose })
  launch.run(stream)
  rememberLaunch(stream.device, form, launch)
}

function castLaunch(device: CudaDevice, { source, out, transpose }: CastCall): PreparedLaunch {
  const extents = requireCastExtents('The matrix to quantise', source.shape)
  const config = castConfig(source, out, transpose)
  const kernel = deviceKernels(device).loaded(castKernel(config))
  if (kernel === undefined) throw notLoaded(config)
  const tile = sm90CastTile(config)
  const rowTiles = Math.ceil(extents.rows / tile.rows)
  const columnTiles = Math.ceil(extents.columns / tile.columns)
  const call = { source, out, transpose }
  const args = castArguments(call, extents).u32(rowTiles).u32(columnTiles)
  const grid = [extents.groups * rowTiles * columnTiles] as const
  return kernel.prepare(args, { grid, block: [THREADS], programmatic: true })
}

/** Members of `QuantizeArguments` (`kernels/cuda/quantize/arguments.cuh`) up to the tiles. */
function castArguments(
  { source, out: { values, scales }, transpose }: CastCall,
  { rows, columns }: CastExtents,
): ArgumentList {
  const grid = scaleGridView(scales, values.shape)
  const list = new ArgumentList('struct').pointer(source).pointer(values)
  return pushScaleGrid(list, transpose ? transposedGrid(grid) : grid)
    .i64(groupStride(source))
    .i64(rowStride(source))
    .i64(groupStride(values))
    .i64(rowStride(values))
    .u32(rows)
    .u32(columns)
}

/** What is said when a cast is to be enqueued at once, but would have to be compiled first. */
function notLoaded({ blocks, source, transposed }: Sm90CastConfig): DeviceError {
  return new DeviceError('The kernel of a cast is not loaded', {
    given: `${source}, ${blocks} of it sharing scales${transposed ? ', transposed' : ''}`,
    allowed: 'casts of a kind that was prepared or done on this device',
    remedy:
      'Await prepareQuantize() or one quantize() of this kind first: they compile the kernel.',
  })
}
