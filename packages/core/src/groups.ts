import { GroupError } from './errors.js'
import { requireInteger } from './options.js'
import { BLOCK } from './recipe.js'
import { ceilDiv, roundUp } from './shape.js'

/** The MoE layouts: how rows, or slices of K, belong to groups (experts). */
export type GroupLayout = 'contiguous' | 'packed' | 'masked' | 'k-grouped'

/** Row alignment of a group's start in the contiguous layout, as DeepGEMM defines it. */
export const CONTIGUOUS_ALIGNMENT = 128

/** Value of `groupIndex` for rows that belong to no group. */
export const PADDING_ROW = -1

/** Most groups a grouped problem may have. */
export const MAX_GROUPS = 65536

/** Host-side description of the contiguous layout. */
export type ContiguousGroups = {
  /** Rows including padding. */
  readonly rows: number
  /** First row of each group. */
  readonly starts: Int32Array
  /** Group of each row, `PADDING_ROW` between groups. */
  readonly groupIndex: Int32Array
}

/** Largest alignment of a group's start. */
const MAX_ALIGNMENT = 1024

/** Lays groups of the given sizes out with aligned starts. @throws {GroupError | OptionError} */
export function contiguousGroups(
  sizes: readonly number[],
  alignment: number = CONTIGUOUS_ALIGNMENT,
): ContiguousGroups {
  requireGroupSizes(sizes)
  requireInteger('The alignment of groups', alignment, 1, MAX_ALIGNMENT)
  const starts = new Int32Array(sizes.length)
  let rows = 0
  sizes.forEach((size, group) => {
    starts[group] = rows
    rows += roundUp(size, alignment)
  })
  const groupIndex = new Int32Array(rows).fill(PADDING_ROW)
  sizes.forEach((size, group) => {
    const start = starts[group] as number
    groupIndex.fill(group, start, start + size)
  })
  return { rows, starts, groupIndex }
}

/** Offsets [G + 1] of groups laid back to back; the last is the number of rows. @throws {GroupError} */
export function packedOffsets(sizes: readonly number[]): Int32Array {
  requireGroupSizes(sizes)
  const offsets = new Int32Array(sizes.length + 1)
  sizes.forEach((size, group) => {
    offsets[group + 1] = (offsets[group] as number) + size
  })
  return offsets
}

/**
 * Scale columns of a k-grouped operand: each group's 128-blocks start at the group's first
 * column, so a group of 200 has two blocks, of 128 and 72.
 */
export function kGroupedScaleColumns(sizes: readonly number[]): number {
  requireGroupSizes(sizes)
  return sizes.reduce((columns, size) => columns + ceilDiv(size, BLOCK), 0)
}

/** @throws {GroupError} unless every size is a non-negative integer and the total fits in int32. */
export function requireGroupSizes(sizes: readonly number[]): void {
  const bad = sizes.findIndex((size) => !Number.isSafeInteger(size) || size < 0)
  if (bad >= 0) {
    throw new GroupError(`Size of group ${bad} is not a row count`, {
      given: String(sizes[bad]),
      allowed: 'a non-negative integer',
    })
  }
  const total = sizes.reduce((sum, size) => sum + size, 0)
  if (sizes.length > MAX_GROUPS || total > 2 ** 31 - 1 - sizes.length * MAX_ALIGNMENT) {
    throw new GroupError('Groups do not fit', {
      given: `${sizes.length} groups, ${total} rows`,
      allowed: `at most ${MAX_GROUPS} groups and row offsets in int32`,
    })
  }
}
