// Operands and outputs of one product, made on the device.

import { defaultOrientation } from '@deepgemm/core'
import { ArgumentList } from '@deepgemm/runtime/cuda'
import { QuantizedTensor, type Recipe, Scales, scaleGrid, scaleShape, type Tensor } from 'deepgemm'
import type { GpuCase } from './cases.js'
import type { BenchKernels, ScaleLayout } from './kernels.js'

/** The hash of every operand starts from its seed: peers make the same bytes from the same seeds. */
export type Seeds = Readonly<Record<'a' | 'b' | 'aScales' | 'bScales' | 'start', number>>
export const SEEDS: Seeds = { a: 1, b: 2, aScales: 3, bScales: 4, start: 5 }

export type ProductSet = {
  readonly a: QuantizedTensor
  readonly b: QuantizedTensor
  readonly out: Tensor
}

function recipeOfB({ problem }: GpuCase): Recipe & ('128x128' | '1x128') {
  return problem === 'wgrad' ? '1x128' : '128x128'
}

/** Where scales of a recipe lie in the layout that the kernels read. */
export function scaleLayout(recipe: Recipe, rows: number, cols: number): ScaleLayout {
  const grid = scaleGrid(recipe, rows, cols)
  const stored = scaleShape(grid, defaultOrientation(recipe))
  const inner = stored[1] as number
  const steps = recipe === '1x128' ? { row: 1, column: inner } : { row: inner, column: 1 }
  return { rows: grid[0], columns: grid[1], ...steps }
}

function operand(
  kernels: BenchKernels,
  shape: readonly [number, number],
  recipe: Recipe,
  seeds: { readonly values: number; readonly scales: number },
): QuantizedTensor {
  const { device } = kernels
  const orientation = defaultOrientation(recipe)
  const values = device.zeros({ dtype: 'e4m3', shape, label: 'benchmark operand' })
  const grid = scaleShape(scaleGrid(recipe, ...shape), orientation)
  const scales = device.zeros({ dtype: 'f32', shape: grid, label: 'benchmark scales' })
  kernels.fillValues(values, seeds.values)
  kernels.fillScales(scales, scaleLayout(recipe, ...shape), seeds.scales)
  return new QuantizedTensor(values, new Scales(scales, { recipe, orientation }))
}

/** One set; the output is all NaN, or what a gradient is added to. */
export function productSet(kernels: BenchKernels, item: GpuCase): ProductSet {
  const { problem, m, n, k } = item
  const a = operand(kernels, [m, k], '1x128', { values: SEEDS.a, scales: SEEDS.aScales })
  const b = operand(kernels, [n, k], recipeOfB(item), { values: SEEDS.b, scales: SEEDS.bScales })
  const dtype = problem === 'wgrad' ? 'f32' : 'bf16'
  const out = kernels.device.zeros({ dtype, shape: [m, n], label: 'benchmark output' })
  if (problem === 'wgrad') kernels.fillF32(out, SEEDS.start)
  else kernels.poison(out)
  return { a, b, out }
}

export function disposeSet({ a, b, out }: ProductSet): void {
  for (const owned of [a, b, out]) owned.dispose()
}

/** 1 - 2 sum(xy) / sum(x^2 + y^2) of an output just made by one product of the set. */
export async function errorOf(
  kernels: BenchKernels,
  item: GpuCase,
  set: ProductSet,
): Promise<number> {
  const { device, stream } = kernels
  using sums = device.zeros({ dtype: 'u8', shape: [16], label: 'benchmark sums' })
  using start = startOf(kernels, item)
  kernels.check(checkArguments(item, set, { sums, start }))
  await stream.synchronize()
  const [products, squares] = new Float64Array((await sums.toBytes()).slice().buffer)
  return 1 - (2 * (products as number)) / (squares as number)
}

function startOf(kernels: BenchKernels, { problem, m, n }: GpuCase): Tensor | undefined {
  if (problem === 'dense') return undefined
  const start = kernels.device.zeros({ dtype: 'f32', shape: [m, n], label: 'benchmark start' })
  kernels.fillF32(start, SEEDS.start)
  return start
}

/** The members of `Product` in native/gpu/kernels.cu, in their order. */
function checkArguments(
  { problem, m, n, k }: GpuCase,
  { a, b, out }: ProductSet,
  { sums, start }: { readonly sums: Tensor; readonly start: Tensor | undefined },
): ArgumentList {
  const isGradient = problem === 'wgrad'
  const ofA = scaleLayout('1x128', m, k)
  const ofB = scaleLayout(isGradient ? '1x128' : '128x128', n, k)
  return new ArgumentList('struct')
    .pointer(a.values)
    .pointer(b.values)
    .pointer(a.scales.tensor)
    .pointer(b.scales.tensor)
    .pointer(out)
    .pointer(start)
    .pointer(sums)
    .u32(m)
    .u32(n)
    .u32(k)
    .u32(ofA.column)
    .u32(ofB.row)
    .u32(ofB.column)
    .u32(isGradient ? 1 : 128)
    .u32(isGradient ? 1 : 0)
}
