import { CudaDevice } from '@deepgemm/runtime/cuda'
import { Device, type DeviceKind, fp8GemmNT, quantize } from 'deepgemm'
import { describeDevice } from '../device.js'
import { checkProduct, type ProductError } from '../gemm-check.js'
import { formatBytes, formatError } from '../output/format.js'
import { normalArray } from '../random.js'
import { type Finding, failure, ok, problem } from './finding.js'

/** How long products are tried on a device. */
const BUDGET_MS = 2000

/** M, N and K with tails along each of them; legal on every device. */
const SHAPES: readonly (readonly [number, number, number])[] = [
  [96, 200, 496],
  [1, 256, 128],
  [33, 72, 1040],
  [130, 264, 640],
  [257, 136, 16],
  [64, 576, 2064],
]

/** Products of random matrices for two seconds, every element checked against float64. */
export async function selfTest(kind: DeviceKind): Promise<Finding> {
  const name = `Self-test ${kind}`
  try {
    await using device = await Device.open({ kind })
    return await tryDevice(name, device)
  } catch (error) {
    return failure(name, error)
  }
}

async function tryDevice(name: string, device: Device): Promise<Finding> {
  let [products, elements, worst] = [0, 0, 0]
  // The first product may have to be compiled: it is not on the clock.
  let started = performance.now()
  while (products === 0 || performance.now() - started < BUDGET_MS) {
    const shape = SHAPES[products % SHAPES.length] as (typeof SHAPES)[number]
    const check = await tryProduct(device, shape, products)
    if (products === 0) started = performance.now()
    products += 1
    elements += check.checked
    worst = Math.max(worst, check.metric)
    if (!check.passed) return wrong(name, device, shape, check)
  }
  const detail =
    `${describeDevice(device)}${memoryOf(device)}: ${products} products, ${elements} elements ` +
    `correct against float64 (error ${formatError(Math.max(worst, 0))})`
  return ok(name, detail, { products, elements, error: worst })
}

async function tryProduct(
  device: Device,
  [m, n, k]: readonly [number, number, number],
  seed: number,
): Promise<ProductError> {
  const [x, y] = [normalArray(m * k, 2 * seed + 1), normalArray(n * k, 2 * seed + 2)]
  using a = await quantize(device, { data: x, shape: [m, k] }, '1x128')
  using b = await quantize(device, { data: y, shape: [n, k] }, '128x128')
  using d = await fp8GemmNT(a, b, { outDType: 'f32' })
  const [left, right] = [
    { source: x, quantized: a },
    { source: y, quantized: b },
  ] as const
  return await checkProduct(left, right, d, m * n)
}

function wrong(
  name: string,
  device: Device,
  [m, n, k]: readonly [number, number, number],
  { maxError, errorBound, metric, castError }: ProductError,
): Finding {
  return problem(
    name,
    `${describeDevice(device)}: WRONG for ${m} x ${n} x ${k}: an element is off by ` +
      `${formatError(maxError)}, rounding explains ${formatError(errorBound)}; ` +
      `error of the whole ${formatError(metric)}, of the casts ${formatError(castError)}`,
    'Do not use this device. Report this output; run deepgemm cache verify, and check the hardware.',
  )
}

function memoryOf(device: Device): string {
  if (!(device instanceof CudaDevice)) return ''
  const { free, total } = device.memoryInfo()
  return `, ${formatBytes(free)} of ${formatBytes(total)} free`
}
