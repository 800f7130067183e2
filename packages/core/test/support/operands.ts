import {
  QuantizedTensor,
  type Recipe,
  type ScaleDType,
  type ScaleOrientation,
  Scales,
  scaleGrid,
  scaleShape,
} from '@deepgemm/core'
import { blank } from './memory-storage.js'

/** A quantised tensor of zeros. */
export function operand(
  shape: readonly number[],
  recipe: Recipe,
  {
    id = 'cpu:0',
    scaleDType = 'f32',
    orientation = 'k-major',
  }: { id?: string; scaleDType?: ScaleDType; orientation?: ScaleOrientation } = {},
): QuantizedTensor {
  const [rows, cols] = shape.slice(-2) as [number, number]
  const grid = scaleShape(scaleGrid(recipe, rows, cols), orientation)
  const scales = blank(scaleDType, [...shape.slice(0, -2), ...grid], id)
  return new QuantizedTensor(blank('e4m3', shape, id), new Scales(scales, { recipe, orientation }))
}
