// Operands and outputs of one product, made on the device.

import { allocateQuantized } from '@deepgemm/runtime'
import { type QuantizedTensor, type Recipe, type Shape, scaleGrid, type Tensor } from 'deepgemm'
import type { GpuCase } from './cases.js'
import type { ProductView } from './check.js'
import type { BenchKernels, ScaleLayout } from './kernels.js'

/** The hash of every operand starts from its seed: peers make the same bytes from the same seeds. */
export type Seeds = Readonly<Record<'a' | 'b' | 'aScales' | 'bScales' | 'start', number>>
export const SEEDS: Seeds = { a: 1, b: 2, aScales: 3, bScales: 4, start: 5 }

export type ProductSet = Disposable & {
  readonly a: QuantizedTensor
  readonly b: QuantizedTensor
  readonly out: Tensor
  /** What the output holds at first, to be added to; undefined when that is NaN. */
  readonly start: Tensor | undefined
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
  const { out, start } = outputOf(kernels, [m, n], isGradient)
  return { a, b, out, start, [Symbol.dispose]: () => disposeAll([a, b, out, start]) }
}

/** An f32 output to add to, with what it holds; or a bf16 output of NaNs. */
export function outputOf(
  kernels: BenchKernels,
  shape: Shape,
  accumulates: boolean,
): Pick<ProductSet, 'out' | 'start'> {
  const { device } = kernels
  if (!accumulates) {
    const out = device.zeros({ dtype: 'bf16', shape, label: 'benchmark output' })
    kernels.poison(out)
    return { out, start: undefined }
  }
  const out = device.zeros({ dtype: 'f32', shape, label: 'benchmark output' })
  const start = device.zeros({ dtype: 'f32', shape, label: 'benchmark start' })
  for (const tensor of [out, start]) kernels.fillF32(tensor, SEEDS.start)
  return { out, start }
}

export function disposeAll(owned: readonly ({ dispose(): void } | undefined)[]): void {
  for (const item of owned) item?.dispose()
}

export function viewOf({ m, n, k }: GpuCase, { a, b, out, start }: ProductSet): ProductView {
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
