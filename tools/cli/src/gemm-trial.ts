import {
  type Device,
  dequantize,
  fp8GemmNT,
  type OutDType,
  planGemm,
  type QuantizedTensor,
  quantize,
  type Tensor,
} from 'deepgemm'
import { normalArray } from './random.js'

export type GemmTrial = {
  readonly m: number
  readonly n: number
  readonly k: number
  /** Median over the repeats, back to back. */
  readonly seconds: number
  readonly gflops: number
  /** Largest error of the checked elements, relative to Σ|a·b| of each. */
  readonly maxError: number
  /** The most that two-level accumulation and the rounding of the output explain. */
  readonly errorBound: number
  readonly checked: number
}

export type TrialSize = {
  readonly m: number
  readonly n: number
  readonly k: number
  readonly out: OutDType
  readonly repeats: number
}

/** Elements that are compared with a float64 product. */
const CHECKED = 256

/** Multiplies random matrices, checks elements of the product and times it. */
export async function tryGemm(device: Device, size: TrialSize): Promise<GemmTrial> {
  const { m, n, k, out } = size
  using a = await quantize(device, { data: normalArray(m * k, 1), shape: [m, k] }, '1x128')
  using b = await quantize(device, { data: normalArray(n * k, 2), shape: [n, k] }, '128x128')
  using d = await fp8GemmNT(a, b, { outDType: out })
  const { maxError, checked } = await checkElements(a, b, d)
  const seconds = await time(device, size, a, b, d)
  return {
    ...{ m, n, k, seconds },
    gflops: (2 * m * n * k) / seconds / 1e9,
    maxError,
    errorBound: errorBound(k, out),
    checked,
  }
}

/**
 * Two-level accumulation rounds at most 128 products of a block and one partial sum per block, each
 * by 2⁻²⁴ relative to Σ|a·b|; bf16 output rounds once more by 2⁻⁸.
 */
function errorBound(k: number, out: OutDType): number {
  const roundings = 128 + Math.ceil(k / 128) + 3
  return roundings * 2 ** -24 + (out === 'bf16' ? 2 ** -8 : 0)
}

async function checkElements(
  a: QuantizedTensor,
  b: QuantizedTensor,
  d: Tensor,
): Promise<{ maxError: number; checked: number }> {
  const [m, k] = a.shape as readonly [number, number]
  const n = b.shape[0] as number
  using floatA = await dequantize(a)
  using floatB = await dequantize(b)
  const [x, y] = [await floatA.toFloat32Array(), await floatB.toFloat32Array()]
  const product = await d.toFloat32Array()
  const checked = Math.min(CHECKED, m * n)
  let maxError = 0
  for (let i = 0; i < checked; i++) {
    // Spread over the whole product, its first and last element included.
    const at = checked === 1 ? 0 : Math.floor((i * (m * n - 1)) / (checked - 1))
    const { sum, magnitude } = dot(x, Math.floor(at / n) * k, y, (at % n) * k, k)
    const error = Math.abs((product[at] as number) - sum) / (magnitude || 1)
    if (!(error <= maxError)) maxError = error
  }
  return { maxError, checked }
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

async function time(
  device: Device,
  { m, n, k, out, repeats }: TrialSize,
  a: QuantizedTensor,
  b: QuantizedTensor,
  d: Tensor,
): Promise<number> {
  const plan = await planGemm(device, { n, k, m: { max: m }, out })
  const samples: number[] = []
  for (let i = 0; i < repeats; i++) {
    const start = performance.now()
    plan.run({ a, b, out: d })
    await device.synchronize()
    samples.push((performance.now() - start) / 1000)
  }
  return samples.sort((p, q) => p - q)[Math.floor(repeats / 2)] as number
}
