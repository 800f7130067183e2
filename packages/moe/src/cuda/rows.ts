import type { RowSet } from '@deepgemm/runtime/cpu'
import type { ArgumentList } from '@deepgemm/runtime/cuda'

/** Rows of a matrix [R, C], or of all groups of [G, R, C]; groups lie back to back. */
export function rowsOf(shape: readonly number[]): {
  readonly rows: number
  readonly rowsPerGroup: number
  readonly columns: number
} {
  const perGroup = shape.at(-2) as number
  const groups = shape.length === 3 ? (shape[0] as number) : 1
  return {
    rows: groups * perGroup,
    // Divided by, also where there are no rows.
    rowsPerGroup: Math.max(perGroup, 1),
    columns: shape.at(-1) as number,
  }
}

/** The members of `RowSet` (`kernels/cuda/moe/arguments.cuh`) in their order. */
export function pushRowSet(list: ArgumentList, set: RowSet, rowsPerGroup: number): ArgumentList {
  return list
    .pointer(set.rowCount)
    .pointer(set.groupIndex)
    .pointer(set.groupSizes)
    .u32(set.rows)
    .u32(rowsPerGroup)
}
