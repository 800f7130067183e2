// Operands and outputs of one product, made on the device.

import { allocateQuantized } from '@deepgemm/runtime'
import { type QuantizedTensor, type Recipe, scaleGrid, type Tensor } from 'deepgemm'
import type { GpuCase } from './cases.js'
import type { ProductView } from './check.js'
import type { BenchKernels, ScaleLayout } from './kernels.js'

/** The hash of every operand starts from its seed: peers make the same bytes from the same seeds. */
export type Seeds = Readonly<Record<'a' | 'b' | 'aScales' | 'bScales' | 'start', number>>
export const SEEDS: Seeds = { a: 1, b: 2, aScales: 3, bScales: 4, start: 5 }

export type ProductSet = {
  readonly a: QuantizedTensor
  readonly b: QuantizedTensor
  readonly out: Tensor
}

/** Where the scales of a matrix lie in their tensor: M-major for 1x128, else row-major. */
export function scaleLayout(
  recipe: Recipe,
  [rows, cols]: readonly [number, number],
  inner: number,
): ScaleLayout {
  const [gridRows, columns] = scaleGrid(recipe, rows, cols)
  const steps = recipe === '1x128' ? { row: 1, column: inner } : { row: inner, column: 1 }
  return { rows: gridRows, columns, ...steps }
}

function operand(
  kernels: BenchKernels,
  shape: readonly [number, number],
  recipe: Recipe,
  seeds: { readonly values: number; readonly scales: number },
): QuantizedTensor {
  const made = allocateQuantized(kernels.device, { shape, recipe, label: 'benchmark operand' })
  const inner = made.scales.tensor.shape[1] as number
  kernels.fillValues(made.values, seeds.values)
  kernels.fillScales(made.scales.tensor, scaleLayout(recipe, shape, inner), seeds.scales)
  return made
}

/** One set; the output is all NaN, or what a gradient is added to. */
export function productSet(kernels: BenchKernels, { problem, m, n, k }: GpuCase): ProductSet {
  const isGradient = problem === 'wgrad'
  const recipe = isGradient ? '1x128' : '128x128'
  const a = operand(kernels, [m, k], '1x128', { values: SEEDS.a, scales: SEEDS.aScales })
  const b = operand(kernels, [n, k], recipe, { values: SEEDS.b, scales: SEEDS.bScales })
  const dtype = isGradient ? 'f32' : 'bf16'
  const out = kernels.device.zeros({ dtype, shape: [m, n], label: 'benchmark output' })
  if (isGradient) kernels.fillF32(out, SEEDS.start)
  else kernels.poison(out)
  return { a, b, out }
}

export function disposeSet({ a, b, out }: ProductSet): void {
  for (const owned of [a, b, out]) owned.dispose()
}

/** What a gradient was added to, made anew; undefined for other products. */
export function startOf(kernels: BenchKernels, { problem, m, n }: GpuCase): Tensor | undefined {
  if (problem === 'dense') return undefined
  const start = kernels.device.zeros({ dtype: 'f32', shape: [m, n], label: 'benchmark start' })
  kernels.fillF32(start, SEEDS.start)
  return start
}

export function viewOf(
  { m, n, k }: GpuCase,
  { a, b, out }: ProductSet,
  start: Tensor | undefined,
): ProductView {
  const inner = (of: QuantizedTensor): number => of.scales.tensor.shape[1] as number
  const isRow = b.recipe === '1x128'
  const ofB = scaleLayout(b.recipe, [n, k], inner(b))
  return {
    ...{ a: a.values, b: b.values, aScales: a.scales.tensor, bScales: b.scales.tensor, out, start },
    ...{ m, n, k, aRow: k, bRow: k },
    aStep: inner(a),
    bStep: ofB.column,
    bRowStep: ofB.row,
    bRows: isRow ? 1 : 128,
  }
}
