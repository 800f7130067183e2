import { decodeArray, type OutDType, type QuantizedTensor, type Tensor } from 'deepgemm'

/** How far a product is from a float64 one. */
export type ProductError = {
  /** Largest error of the checked elements, relative to Σ|a·b| of each. */
  readonly maxError: number
  /** The most that two-level accumulation and the rounding of the output explain. */
  readonly errorBound: number
  /** 1 − 2Σxy / Σ(x² + y²) over the checked elements. */
  readonly metric: number
  /** The same of the quantised operands against what they were made from, the worse of the two. */
  readonly castError: number
  readonly checked: number
  readonly passed: boolean
}

/**
 * The least metric that no rounding explains: f32 output has up to 1e-8 (tensor cores, 1e-13 on a
 * CPU) and bf16 output 2e-6, a row that was not written more than 1e-3.
 */
const METRIC_BOUND: Readonly<Record<OutDType, number>> = { f32: 1e-6, bf16: 1e-5 }

/**
 * e4m3 rounds a number by at most 1/16 of it: (1/16)² / (1 + (15/16)²) is 2.1e-3. Numbers too small
 * for that add next to nothing.
 */
const CAST_BOUND = 2.5e-3

/** An operand and the numbers it was quantised from. */
export type TrialOperand = { readonly source: Float32Array; readonly quantized: QuantizedTensor }

/** Compares up to `most` elements of D = A · Bᵀ, the first and the last included, with float64. */
export async function checkProduct(
  a: TrialOperand,
  b: TrialOperand,
  d: Tensor,
  most: number,
): Promise<ProductError> {
  const [m, k] = a.quantized.shape as readonly [number, number]
  const n = b.quantized.shape[0] as number
  const [x, y] = [await hostFloats(a.quantized), await hostFloats(b.quantized)]
  const castError = Math.max(metricOf(x, a.source), metricOf(y, b.source))
  const product = await d.toFloat32Array()
  const checked = Math.min(most, m * n)
  let maxError = 0
  const [actual, expected] = [new Float64Array(checked), new Float64Array(checked)]
  for (let i = 0; i < checked; i++) {
    const at = checked === 1 ? 0 : Math.floor((i * (m * n - 1)) / (checked - 1))
    const { sum, magnitude } = dot(x, Math.floor(at / n) * k, y, (at % n) * k, k)
    const error = Math.abs((product[at] as number) - sum) / (magnitude || 1)
    if (!(error <= maxError)) maxError = error
    actual[i] = product[at] as number
    expected[i] = sum
  }
  const out = d.dtype as OutDType
  const errorBound = boundOf(k, out, d.device.kind)
  const metric = metricOf(actual, expected)
  const isClose = maxError <= errorBound && metric <= METRIC_BOUND[out]
  const passed = isClose && castError <= CAST_BOUND
  return { maxError, errorBound, metric, castError, checked, passed }
}

/** 1 − 2Σxy / Σ(x² + y²): 0 for equal numbers, 1 against zeros. */
function metricOf(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let [xy, squares] = [0, 0]
  for (let i = 0; i < x.length; i++) {
    const [a, b] = [x[i] as number, y[i] as number]
    xy += a * b
    squares += a * a + b * b
  }
  return squares === 0 ? 0 : 1 - (2 * xy) / squares
}

/**
 * Two-level accumulation rounds at most 128 products of a block and one partial sum per block, each
 * relative to Σ|a·b|: by 2⁻²⁴ in f32, within a block of Hopper's tensor cores by 2⁻¹³. bf16 output
 * rounds once more by 2⁻⁸.
 */
function boundOf(k: number, out: OutDType, kind: string): number {
  const withinBlock = Math.min(k, 128) * (kind === 'cpu' ? 2 ** -24 : 2 ** -13)
  const across = (Math.ceil(k / 128) + 3) * 2 ** -24
  return withinBlock + across + (out === 'bf16' ? 2 ** -8 : 0)
}

/** The operand's real values, computed here and not by the library: value × scale. */
async function hostFloats({
  values,
  scales,
  recipe,
  shape,
}: QuantizedTensor): Promise<Float32Array> {
  const [rows, columns] = shape as readonly [number, number]
  const floats = decodeArray('e4m3', await values.toBytes())
  const grid = await scales.tensor.toFloat32Array()
  const width = scales.tensor.shape[1] as number
  const blockRows = recipe === '1x128' ? 1 : 128
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const [i, j] = [Math.floor(r / blockRows), Math.floor(c / 128)]
      const scale = grid[scales.orientation === 'k-major' ? i * width + j : j * width + i] as number
      floats[r * columns + c] = (floats[r * columns + c] as number) * scale
    }
  }
  return floats
}

function dot(
  x: Float32Array,
  xAt: number,
  y: Float32Array,
  yAt: number,
  count: number,
): { sum: number; magnitude: number } {
  let [sum, magnitude] = [0, 0]
  for (let i = 0; i < count; i++) {
    const term = (x[xAt + i] as number) * (y[yAt + i] as number)
    sum += term
    magnitude += Math.abs(term)
  }
  return { sum, magnitude }
}
