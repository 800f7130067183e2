import { ShapeError, showShape, type Tensor } from '@deepgemm/core'
import type { Device } from '@deepgemm/runtime'
import type { RowSet } from './backend.js'
import type { RowsLayout } from './grouped/call.js'
import { requireGroupTensor } from './grouped/indices.js'

/** How rows belong to groups: a layout and its group data, as the grouped product takes it. */
export type RowGroups = {
  readonly layout: RowsLayout
  /** groupIndex [rows], groupOffsets [G + 1] or groupSizes [G]. */
  readonly groups: Tensor<'i32'>
}

/**
 * The rows of a tensor [rows, C] or [G, max rows, C] that hold data.
 *
 * @throws {ShapeError | DTypeError | LayoutError | DeviceError | DisposedError}
 */
export function rowSetOf(device: Device, shape: readonly number[], given?: RowGroups): RowSet {
  const rows = shape.slice(0, -1).reduce((product, extent) => product * extent, 1)
  if (given === undefined) return { rows }
  const { layout, groups } = given
  const masked = layout === 'masked'
  if (masked !== (shape.length === 3)) {
    throw new ShapeError(`The rows are not in the ${layout} layout`, {
      given: showShape(shape),
      allowed: masked ? '[groups, max rows, columns]' : '[rows, columns]',
    })
  }
  if (layout === 'packed') {
    requireGroupTensor(device, 'groupOffsets', groups, [Math.max(groups.size, 1)])
    return { rows, rowCount: groups.slice(0, groups.size - 1, groups.size) }
  }
  if (masked) {
    requireGroupTensor(device, 'groupSizes', groups, [shape[0] as number])
    return { rows, groupSizes: groups, rowsPerGroup: shape[1] as number }
  }
  requireGroupTensor(device, 'groupIndex', groups, [rows])
  return { rows, groupIndex: groups }
}
