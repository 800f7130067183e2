// What storing operands in a format costs in accuracy, before any arithmetic.

import { bf16, Device, decodeArray, dequantize, E4M3_MAX, encodeArray, quantize } from 'deepgemm'
import { uniformArray } from '../random.js'
import { dot, ErrorSums } from './error-sums.js'
import type { FormatError, OperandFormat } from './result.js'

const [ROWS, COLUMNS, DEPTH] = [64, 128, 1024] as const
/** Every so many channels of the activations are so much larger, as in large language models. */
const [OUTLIER_EVERY, OUTLIER_FACTOR] = [128, 100] as const

type Data = Float32Array<ArrayBuffer>
type Store = (data: Data, rows: number, side: 'a' | 'b') => Promise<Data> | Data

/** The error of products of stored operands, summed in float64, against those of the originals. */
export async function formatErrors(): Promise<FormatError[]> {
  await using device = await Device.open({ kind: 'cpu', threads: 1 })
  const stores: Readonly<Record<OperandFormat, Store>> = {
    'e4m3, block scales': (data, rows, side) => throughBlocks(device, data, rows, side),
    'e4m3, one scale': throughOneScale,
    bf16: (data) => data.map((value) => bf16.decode(bf16.encode(value))),
    f32: (data) => data,
  }
  const b = normal(COLUMNS * DEPTH, 2)
  const plain = normal(ROWS * DEPTH, 1)
  const outliers = plain.map((value, i) => (i % OUTLIER_EVERY === 5 ? OUTLIER_FACTOR : 1) * value)
  const errors: FormatError[] = []
  for (const [operands, store] of Object.entries(stores) as [OperandFormat, Store][]) {
    errors.push({
      operands,
      normal: await storedError(store, plain, b),
      outliers: await storedError(store, outliers, b),
    })
  }
  return errors
}

async function storedError(store: Store, a: Data, b: Data): Promise<number> {
  const [x, y] = [await store(a, ROWS, 'a'), await store(b, COLUMNS, 'b')]
  const sums = new ErrorSums()
  for (let i = 0; i < ROWS; i++) {
    for (let j = 0; j < COLUMNS; j++) {
      sums.add(dot(row(x, i), row(y, j)), dot(row(a, i), row(b, j)))
    }
  }
  return Number(sums.error.toPrecision(4))
}

function row(data: Data, index: number): Data {
  return data.subarray(index * DEPTH, (index + 1) * DEPTH)
}

async function throughBlocks(device: Device, data: Data, rows: number, side: 'a' | 'b') {
  const recipe = side === 'a' ? '1x128' : '128x128'
  using stored = await quantize(device, { data, shape: [rows, DEPTH] }, recipe)
  using back = await dequantize(stored)
  return Float32Array.from(await back.toFloat32Array())
}

/** One scale for a whole matrix, as `torch._scaled_mm` takes it. */
function throughOneScale(data: Data): Data {
  const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  const scale = largest / E4M3_MAX
  const codes = encodeArray(
    'e4m3',
    data.map((value) => value / scale),
  )
  return Float32Array.from(decodeArray('e4m3', codes), (value) => value * scale)
}

/** Nearly normally distributed: sums of twelve uniform numbers. */
function normal(count: number, seed: number): Data {
  const uniform = uniformArray(12 * count, seed)
  return Float32Array.from(
    { length: count },
    (_, i) => uniform.subarray(12 * i, 12 * i + 12).reduce((sum, value) => sum + value, 0) / 2,
  )
}
