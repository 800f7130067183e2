import {
  defaultOrientation,
  QuantizedTensor,
  type Recipe,
  type ScaleDType,
  type ScaleOrientation,
  Scales,
  type Shape,
  scaleGrid,
  scaleShape,
} from '@deepgemm/core'
import type { Device } from './device.js'

/** What a quantised tensor is to be. */
export type QuantizedSpec = {
  /** [R, C] or [G, R, C]. */
  readonly shape: Shape
  readonly recipe: Recipe
  readonly scaleDType?: ScaleDType
  /** Default: `mn-major` for 1x128, else `k-major`. */
  readonly orientation?: ScaleOrientation
  readonly label?: string
}

/** What new memory holds: `any` for those who write all of it, padding of scales included. */
export type Contents = 'zeros' | 'any'

/** A quantised tensor, values and scales, to be written by a cast. */
export function allocateQuantized(
  device: Device,
  spec: QuantizedSpec,
  contents: Contents = 'zeros',
): QuantizedTensor {
  const label = spec.label ?? 'quantised'
  const valuesSpec = { dtype: 'e4m3', shape: spec.shape, label: `${label} values` } as const
  const values = contents === 'any' ? device.empty(valuesSpec) : device.zeros(valuesSpec)
  return new QuantizedTensor(values, allocateScales(device, { ...spec, label }, contents))
}

/** Scales for a matrix, or a group of matrices, of `spec.shape`. */
export function allocateScales(
  device: Device,
  spec: QuantizedSpec,
  contents: Contents = 'zeros',
): Scales {
  const orientation = spec.orientation ?? defaultOrientation(spec.recipe)
  const [rows, cols] = [spec.shape.at(-2) as number, spec.shape.at(-1) as number]
  const grid = scaleShape(scaleGrid(spec.recipe, rows, cols), orientation)
  const tensorSpec = {
    dtype: spec.scaleDType ?? 'f32',
    shape: [...spec.shape.slice(0, -2), ...grid],
    label: `${spec.label ?? 'quantised'} scales`,
  }
  const tensor = contents === 'any' ? device.empty(tensorSpec) : device.zeros(tensorSpec)
  return new Scales(tensor, { recipe: spec.recipe, orientation })
}
