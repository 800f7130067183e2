import {
  CONTIGUOUS_ALIGNMENT,
  DeviceError,
  DTypeError,
  GroupError,
  type GroupLayout,
  LayoutError,
  MAX_GROUPS,
  PADDING_ROW,
  requireDType,
  requireSameShape,
  Tensor,
} from '@deepgemm/core'
import type { Device } from '@deepgemm/runtime'
import type { GroupedProblem } from './problem.js'

/** Group data: checked at once when it is on the host, by the device when it is there. */
export type GroupIndices = Int32Array<ArrayBuffer> | Tensor<'i32'>

/** Name of a layout's group data, for errors. */
const NAMES: Readonly<Record<GroupLayout, string>> = {
  contiguous: 'groupIndex',
  packed: 'groupOffsets',
  masked: 'groupSizes',
  'k-grouped': 'groupSizes',
}

/** Groups that the group data of a k-grouped problem speaks of. @throws {DTypeError | GroupError} */
export function groupCount(indices: GroupIndices): number {
  const count = indices instanceof Tensor ? indices.size : requireInt32Array('groupSizes', indices)
  if (count <= MAX_GROUPS) return count
  throw new GroupError('There are too many groups', {
    given: String(count),
    allowed: `at most ${MAX_GROUPS}`,
  })
}

/**
 * Checks group data against the problem, as far as the host can see it.
 *
 * @throws {GroupError} for host values that do not describe the operands
 * @throws {ShapeError | DTypeError | LayoutError | DeviceError | DisposedError}
 */
export function requireGroups(
  device: Device,
  problem: GroupedProblem,
  indices: GroupIndices,
): void {
  const name = NAMES[problem.layout]
  const expected = [lengthOf(problem)]
  if (indices instanceof Tensor) {
    requireGroupTensor(device, name, indices, expected)
  } else {
    requireSameShape(name, [requireInt32Array(name, indices)], expected)
    CHECKS[problem.layout](indices, problem)
  }
}

/** @throws {DTypeError | ShapeError | LayoutError | DeviceError | DisposedError} */
export function requireGroupTensor(
  device: Device,
  name: string,
  tensor: Tensor,
  shape: readonly number[],
): void {
  tensor.requireLive()
  requireDType(name, tensor.dtype, ['i32'])
  requireSameShape(name, tensor.shape, shape)
  if (!tensor.isContiguous) {
    throw new LayoutError(`${name} is not contiguous`, {
      given: `strides [${tensor.strides.join(', ')}]`,
      allowed: 'elements back to back',
    })
  }
  if (tensor.device.id === device.id) return
  throw new DeviceError(`${name} is on another device than the operands`, {
    given: tensor.device.id,
    allowed: device.id,
  })
}

function lengthOf({ layout, groups, m }: GroupedProblem): number {
  if (layout === 'contiguous') return m
  return layout === 'packed' ? groups + 1 : groups
}

function requireInt32Array(name: string, value: unknown): number {
  if (value instanceof Int32Array) return value.length
  throw new DTypeError(`${name} is neither a tensor nor an Int32Array`, {
    given: String((value as object | null)?.constructor?.name ?? value),
    allowed: 'an i32 tensor or an Int32Array',
    remedy: 'Convert it with Int32Array.from().',
  })
}

const CHECKS: Readonly<
  Record<GroupLayout, (indices: Int32Array, problem: GroupedProblem) => void>
> = {
  contiguous: requireAlignedGroups,
  packed: requireOffsets,
  masked: (sizes, { m }) => requireSizes(sizes, (size) => size <= m, `0 to ${m}`),
  'k-grouped': requireSlicesOfK,
}

/** -1 ≤ index < groups, and no aligned block of rows belongs to two groups. */
function requireAlignedGroups(index: Int32Array, { groups }: GroupedProblem): void {
  let owner = PADDING_ROW
  for (let row = 0; row < index.length; row++) {
    const group = index[row] as number
    if (group < PADDING_ROW || group >= groups) {
      throw bad(`groupIndex[${row}]`, group, `-1 for padding, or a group below ${groups}`)
    }
    if (row % CONTIGUOUS_ALIGNMENT === 0) owner = PADDING_ROW
    if (group === PADDING_ROW) continue
    if (owner !== PADDING_ROW && owner !== group) {
      throw sharedRowsError(row, group, `group ${owner}`)
    }
    owner = group
  }
}

/** Starts at 0 or more, never decreases, never exceeds the rows. */
function requireOffsets(offsets: Int32Array, { m }: GroupedProblem): void {
  let last = 0
  offsets.forEach((offset, i) => {
    if (offset < last || offset > m) throw bad(`groupOffsets[${i}]`, offset, `${last} to ${m}`)
    last = offset
  })
}

function requireSizes(sizes: Int32Array, fits: (size: number) => boolean, allowed: string): void {
  const at = sizes.findIndex((size) => size < 0 || !fits(size))
  if (at >= 0) throw bad(`groupSizes[${at}]`, sizes[at] as number, allowed)
}

function requireSlicesOfK(sizes: Int32Array, { k }: GroupedProblem): void {
  let total = 0
  const fits = (size: number): boolean => {
    total += size
    return total <= k
  }
  requireSizes(sizes, fits, `sizes of 0 or more that add up to at most ${k}`)
}

/** Two groups in the same aligned rows of the contiguous layout. */
export function sharedRowsError(row: number, group: number, owner = 'another'): GroupError {
  return new GroupError(`groupIndex[${row}] starts a group at a row that is not aligned`, {
    given: `group ${group} in the same ${CONTIGUOUS_ALIGNMENT} rows as ${owner}`,
    allowed: `groups that start at multiples of ${CONTIGUOUS_ALIGNMENT}`,
    remedy: 'Lay groups out with contiguousGroups(), or use the packed layout.',
  })
}

/** What a device found in group data: `given` at place `at`. */
export function rangeError(problem: GroupedProblem, at: number, given: number): GroupError {
  const { layout, groups, m, k } = problem
  const allowed: Readonly<Record<GroupLayout, string>> = {
    contiguous: `-1 for padding, or a group below ${groups}`,
    packed: `offsets from 0 to ${m} that never decrease`,
    masked: `0 to ${m}`,
    'k-grouped': `sizes of 0 or more that add up to at most ${k}, with scales for every block`,
  }
  return bad(`${NAMES[layout]}[${at}]`, given, allowed[layout])
}

function bad(what: string, given: number, allowed: string): GroupError {
  return new GroupError(`${what} is out of range`, { given: String(given), allowed })
}
