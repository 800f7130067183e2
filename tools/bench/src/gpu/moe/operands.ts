// Operands and outputs of one grouped product, made on the device.

import type { GroupLayout } from '@deepgemm/core'
import { allocateQuantized } from '@deepgemm/runtime'
import type { Device, GroupedOperand, Tensor } from 'deepgemm'
import { KGroupedTensor } from 'deepgemm'
import type { ProductView } from '../check.js'
import type { BenchKernels } from '../kernels.js'
import { disposeAll, outputOf, SEEDS } from '../operands.js'
import { blocksBefore, type GroupedLayout, type MoeCase } from './cases.js'

export type GroupedSet = Disposable & {
  readonly a: GroupedOperand<GroupLayout>
  readonly b: GroupedOperand<GroupLayout>
  readonly out: Tensor
  readonly start: Tensor | undefined
  readonly groups: Tensor<'i32'>
}

/** One set; the output is all NaN, or what gradients are added to. */
export function groupedSet(
  kernels: BenchKernels,
  item: MoeCase,
  layout: GroupedLayout,
): GroupedSet {
  const { problem, groups: count, n } = item
  const { m, k, indices } = layout
  const isSlices = problem === 'k-grouped'
  const a = isSlices ? slices(kernels.device, m, layout) : rowsOfA(kernels.device, item, layout)
  const b = isSlices
    ? slices(kernels.device, n, layout)
    : allocateQuantized(kernels.device, { shape: [count, n, k], recipe: '128x128', label: 'B' })
  fill(kernels, a, SEEDS.a, SEEDS.aScales)
  fill(kernels, b, SEEDS.b, SEEDS.bScales)
  const hasGroups = isSlices || problem === 'masked'
  const { out, start } = outputOf(kernels, hasGroups ? [count, m, n] : [m, n], isSlices)
  const spec = { dtype: 'i32', shape: [indices.length], label: 'groups' } as const
  const groups = kernels.device.tensor(indices, spec)
  const dispose = (): void => disposeAll([a, b, out, start, groups] as { dispose(): void }[])
  return { a, b, out, start, groups, [Symbol.dispose]: dispose }
}

function rowsOfA(device: Device, { problem, groups }: MoeCase, { m, k }: GroupedLayout) {
  const shape = problem === 'masked' ? [groups, m, k] : [m, k]
  return allocateQuantized(device, { shape, recipe: '1x128', label: 'A' })
}

function slices(device: Device, rows: number, { sizes, k }: GroupedLayout): KGroupedTensor {
  const blocks = blocksBefore(sizes, sizes.length)
  const values = device.zeros({ dtype: 'e4m3', shape: [rows, k], label: 'slices of K' })
  const scales = device.zeros({ dtype: 'f32', shape: [blocks, rows], label: 'slices of K, scales' })
  return new KGroupedTensor(values, scales)
}

function fill(
  kernels: BenchKernels,
  operand: GroupedOperand<GroupLayout>,
  seed: number,
  scaleSeed: number,
): void {
  const scales = operand instanceof KGroupedTensor ? operand.scales : scalesOf(operand)
  kernels.fillValues(operand.values, seed)
  kernels.fillScales(scales, { rows: scales.size, columns: 1, row: 1, column: 1 }, scaleSeed)
}

function scalesOf(operand: GroupedOperand<GroupLayout>): Tensor {
  return 'tensor' in operand.scales ? operand.scales.tensor : operand.scales
}

/** The product of every group, as views of the whole. */
export function groupedViews(
  { problem, n, expected_m }: MoeCase,
  { sizes, starts, k }: GroupedLayout,
  { a, b, out, start }: GroupedSet,
): readonly ProductView[] {
  const [aScales, bScales] = [scalesOf(a), scalesOf(b)]
  const common = { aRow: k, bRow: k, aStep: aScales.shape.at(-1) as number }
  return sizes.map((size, group): ProductView => {
    const first = starts[group] as number
    const of = (tensor: Tensor): Tensor => tensor.slice(0, group, group + 1)
    if (problem === 'k-grouped') {
      const blocks = blocksBefore(sizes, group)
      const ofScales = (tensor: Tensor): Tensor => tensor.slice(0, blocks, blocks + 1)
      return {
        ...common,
        ...{ a: a.values.slice(1, first, first + size), aScales: ofScales(aScales) },
        ...{ b: b.values.slice(1, first, first + size), bScales: ofScales(bScales) },
        ...{ out: of(out), start: start && of(start), m: expected_m, n, k: size },
        ...{ bStep: n, bRowStep: 1, bRows: 1 },
      }
    }
    const isMasked = problem === 'masked'
    const rows = (tensor: Tensor, dim: number): Tensor =>
      isMasked ? of(tensor) : tensor.slice(dim, first, first + size)
    return {
      ...common,
      ...{ a: rows(a.values, 0), aScales: rows(aScales, 1), b: of(b.values), bScales: of(bScales) },
      ...{ out: rows(out, 0), start: undefined, m: size, n, k },
      ...{ bStep: 1, bRowStep: bScales.shape.at(-1) as number, bRows: 128 },
    }
  })
}
