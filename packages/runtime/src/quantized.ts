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

/** A quantised tensor of zeros, values and scales, to be written by a cast. */
export function allocateQuantized(device: Device, spec: QuantizedSpec): QuantizedTensor {
  const label = spec.label ?? 'quantised'
  const values = device.zeros({ dtype: 'e4m3', shape: spec.shape, label: `${label} values` })
  return new QuantizedTensor(values, allocateScales(device, { ...spec, label }))
}

/** Scales of zeros for a matrix, or a group of matrices, of `spec.shape`. */
export function allocateScales(device: Device, spec: QuantizedSpec): Scales {
  const orientation = spec.orientation ?? defaultOrientation(spec.recipe)
  const [rows, cols] = [spec.shape.at(-2) as number, spec.shape.at(-1) as number]
  const grid = scaleShape(scaleGrid(spec.recipe, rows, cols), orientation)
  const tensor = device.zeros({
    dtype: spec.scaleDType ?? 'f32',
    shape: [...spec.shape.slice(0, -2), ...grid],
    label: `${spec.label ?? 'quantised'} scales`,
  })
  return new Scales(tensor, { recipe: spec.recipe, orientation })
}
