import {
  type Device,
  fp8GemmNT,
  type OutDType,
  planGemm,
  type QuantizedTensor,
  quantize,
  type Tensor,
} from 'deepgemm'
import { checkProduct, type ProductError } from './gemm-check.js'
import { normalArray } from './random.js'

export type GemmTrial = ProductError & {
  readonly m: number
  readonly n: number
  readonly k: number
  /** Median over the repeats, back to back. */
  readonly seconds: number
  readonly gflops: number
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
  const [x, y] = [normalArray(m * k, 1), normalArray(n * k, 2)]
  using a = await quantize(device, { data: x, shape: [m, k] }, '1x128')
  using b = await quantize(device, { data: y, shape: [n, k] }, '128x128')
  using d = await fp8GemmNT(a, b, { outDType: out })
  const check = await checkProduct(
    { source: x, quantized: a },
    { source: y, quantized: b },
    d,
    CHECKED,
  )
  const seconds = await time(device, size, a, b, d)
  return { ...check, m, n, k, seconds, gflops: (2 * m * n * k) / seconds / 1e9 }
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
