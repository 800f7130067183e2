// Which kernel a cast takes, and what is beyond all of them. Pure.

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
  type Sm90DequantizeConfig,
  sm90SourceBlocks,
} from '@deepgemm/core/sm90'

/** Rows and columns are counted in 32 bits, tiles at the edge included. */
const MOST_EXTENT = 2 ** 31

/** A matrix that is cast, or a group of them. */
export type Extents = { readonly groups: number; readonly rows: number; readonly columns: number }

/** @throws {ShapeError} beyond what the kernels count */
export function requireExtents(subject: string, shape: readonly number[]): Extents {
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

export function dequantizeConfig(
  source: QuantizedTensor,
  out: Tensor<FloatDType>,
): Sm90DequantizeConfig {
  const aligned = isAligned(source.values, 1, 8) && isAligned(out, dtypeBytes(out.dtype))
  return { target: 'sm_90a', out: out.dtype, aligned }
}

/** What is said when a cast is to be enqueued at once, but would have to be compiled first. */
export function notLoaded({ blocks, source, transposed }: Sm90CastConfig): DeviceError {
  return new DeviceError('The kernel of a cast is not loaded', {
    given: `${source}, ${blocks} of it sharing scales${transposed ? ', transposed' : ''}`,
    allowed: 'casts of a kind that quantize() has done on this device',
    remedy: 'Await one quantize() of this kind first: it compiles the kernel.',
  })
}
