import { roundUp, type Scales, scaleGrid } from '@deepgemm/core'
import type { ArgumentList } from '@deepgemm/runtime/cuda'

/** Where a grid of scales lies, as kernels see it: all counts in elements of its format. */
export type ScaleGridView = {
  readonly scales: Scales
  readonly strides: { readonly group: number; readonly row: number; readonly col: number }
  readonly groups: number
  readonly rows: number
  readonly columns: number
  readonly paddedRows: number
  readonly paddedColumns: number
}

/** The scales of a matrix of `shape`, [R, C] or [G, R, C]. */
export function scaleGridView(scales: Scales, shape: readonly number[]): ScaleGridView {
  const [rows, columns] = scaleGrid(scales.recipe, shape.at(-2) as number, shape.at(-1) as number)
  return {
    scales,
    strides: scales.gridStrides,
    groups: shape.length === 3 ? (shape[0] as number) : 1,
    rows,
    columns,
    paddedRows: scales.orientation === 'mn-major' ? roundUp(rows, 4) : rows,
    paddedColumns: columns,
  }
}

/** The same scales, rows and columns exchanged. */
export function transposedGrid(view: ScaleGridView): ScaleGridView {
  const { group, row, col } = view.strides
  return {
    ...view,
    strides: { group, row: col, col: row },
    rows: view.columns,
    columns: view.rows,
    paddedRows: view.paddedColumns,
    paddedColumns: view.paddedRows,
  }
}

/** Adds the members of `ScaleGrid` (`kernels/cuda/quantize/scale_grid.cuh`) in their order. */
export function pushScaleGrid(list: ArgumentList, view: ScaleGridView): ArgumentList {
  return list
    .pointer(view.scales.tensor)
    .i64(view.strides.group)
    .i64(view.strides.row)
    .i64(view.strides.col)
    .u32(view.groups)
    .u32(view.rows)
    .u32(view.columns)
    .u32(view.paddedRows)
    .u32(view.paddedColumns)
    .u32(view.scales.dtype === 'ue8m0' ? 1 : 0)
}
