// Pure: from operands to the grouped problem they pose.

import {
  DeviceError,
  type GemmProblem,
  type GemmWeights,
  type GroupLayout,
  type OutDType,
  PrepackedWeights,
  QuantizedTensor,
  requireGemmRecipes,
  requireReadableWeights,
  requireSameDevice,
  ShapeError,
  showShape,
} from '@deepgemm/core'
import type { GroupedOperand, GroupedWeights, RowsLayout } from './call.js'
import { type KGroupedMatrix, requireKGrouped } from './k-grouped-tensor.js'

/** A problem of one of the MoE layouts. */
export type GroupedProblem = GemmProblem & { readonly layout: GroupLayout }

/** What the operands do not tell. */
export type GroupedSpec = {
  readonly out: OutDType
  readonly accumulate: boolean
  /** Groups of the k-grouped layout, whose operands do not show them. */
  readonly groups: number
}

/**
 * The problem that two operands pose. `m` is the capacity of A and D: rows of all groups, or of
 * one group in the masked layout. `k` is ΣK in the k-grouped layout.
 *
 * @throws {ShapeError | DTypeError | LayoutError | RecipeError | DeviceError | DisposedError}
 */
export function groupedProblem<L extends GroupLayout>(
  layout: L,
  a: GroupedOperand<L>,
  b: GroupedWeights<L>,
  spec: GroupedSpec,
): GroupedProblem {
  if (layout === 'k-grouped') {
    return kGroupedProblem(a as KGroupedMatrix, b as KGroupedMatrix, spec)
  }
  return rowsProblem(layout, a as QuantizedTensor, b as GemmWeights, spec)
}

/** Shape of D: [M, N], or with a leading group. */
export function outputShape({ layout, groups, m, n }: GroupedProblem): number[] {
  return layout === 'masked' || layout === 'k-grouped' ? [groups, m, n] : [m, n]
}

/** What each group is expected to have: rows, or columns of K. */
export function expectedSize(
  { layout, groups, m, k }: Pick<GroupedProblem, 'layout' | 'groups' | 'm' | 'k'>,
  expectedM: number,
): number {
  if (layout === 'masked') return Math.min(Math.max(1, expectedM), Math.max(1, m))
  return (layout === 'k-grouped' ? k : m) / Math.max(1, groups)
}

function rowsProblem(
  layout: RowsLayout,
  a: QuantizedTensor,
  b: GemmWeights,
  { out, accumulate }: GroupedSpec,
): GroupedProblem {
  requireQuantized('A', a)
  if (b instanceof PrepackedWeights) b.requireLive()
  else requireQuantized('B', b)
  requireSameDevice(a, b)
  requireReadableWeights(b)
  const masked = layout === 'masked'
  const [k, groups] = [a.shape.at(-1) as number, b.shape[0] as number]
  const fits =
    b.shape.length === 3 &&
    a.shape.length === (masked ? 3 : 2) &&
    b.shape[2] === k &&
    (!masked || a.shape[0] === groups)
  if (!fits) {
    throw new ShapeError(`The operands do not fit the ${layout} layout`, {
      given: `A ${showShape(a.shape)} and B ${showShape(b.shape)}`,
      allowed: `A ${masked ? '[G, max M, K]' : '[ΣM, K]'} and B [G, N, K]`,
    })
  }
  requireGemmRecipes('NT', a.recipe, b.recipe)
  return {
    layout,
    groups,
    m: a.shape.at(-2) as number,
    n: b.shape[1] as number,
    k,
    recipeB: b.recipe as '128x128' | '1x128',
    scaleDTypes: { a: a.scales.dtype, b: b.scales.dtype },
    out,
    accumulate,
  }
}

function requireQuantized(name: string, operand: unknown): void {
  if (!(operand instanceof QuantizedTensor)) {
    throw new ShapeError(`Operand ${name} is not a quantised tensor`, {
      given: String((operand as object | null)?.constructor?.name ?? operand),
      allowed: 'what quantize() returns',
    })
  }
  operand.values.requireLive()
  operand.scales.tensor.requireLive()
}

function kGroupedProblem(
  a: KGroupedMatrix,
  b: KGroupedMatrix,
  { out, accumulate, groups }: GroupedSpec,
): GroupedProblem {
  for (const [name, { values, scales }] of Object.entries({ A: a, B: b })) {
    requireKGrouped(`Operand ${name}`, { values, scales })
    values.requireLive()
    scales.requireLive()
  }
  const [m, k] = a.values.shape as readonly [number, number]
  if (b.values.shape[1] !== k) {
    throw new ShapeError('The operands disagree in ΣK', {
      given: `A ${showShape(a.values.shape)} and B ${showShape(b.values.shape)}`,
      allowed: 'A [M, ΣK] and B [N, ΣK]',
    })
  }
  if (a.values.device.id !== b.values.device.id) {
    throw new DeviceError('A and B are on different devices', {
      given: `${a.values.device.id} and ${b.values.device.id}`,
      remedy: 'Quantise both on one device.',
    })
  }
  return {
    layout: 'k-grouped',
    groups,
    m,
    n: b.values.shape[0] as number,
    k,
    recipeB: '1x128',
    scaleDTypes: { a: a.scales.dtype, b: b.scales.dtype },
    out,
    accumulate,
  }
}
