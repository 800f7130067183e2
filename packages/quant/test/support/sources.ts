import { decodeArray, encodeArray, type FloatDType } from '@deepgemm/core'
import { createRandom } from '@deepgemm/testing'

/** A float matrix, or a group of them, in its stored form, and its values as f32. */
export type Source = {
  readonly dtype: FloatDType
  /** [R, C] or [G, R, C] */
  readonly shape: readonly number[]
  readonly data: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>
  readonly values: Float32Array<ArrayBuffer>
}

/** NaNs of both signs, infinities, zeros, the smallest and largest numbers. */
const SPECIAL_BITS = [
  0x7fc0_0000, 0xffc0_0001, 0x7f80_0000, 0xff80_0000, 0, 0x8000_0000, 1, 0x8000_0001, 0x007f_ffff,
  0x7f7f_ffff, 0xff7f_ffff, 0x3f80_0000,
]

/** Floats of many magnitudes; long runs of zeros so that whole blocks are zero; special values. */
export function awkwardSource(
  seed: number,
  {
    shape,
    dtype,
    special = true,
  }: { shape: readonly number[]; dtype: FloatDType; special?: boolean },
): Source {
  const random = createRandom(seed)
  const count = shape.reduce((product, extent) => product * extent, 1)
  const values = new Float32Array(count)
  const words = new Uint32Array(values.buffer)
  const spread = random.integer(0, 12)
  for (let i = 0; i < count; i++) values[i] = random.normal() * 2 ** random.integer(-spread, spread)
  for (let runs = random.integer(0, 3); runs > 0; runs--) {
    const start = random.integer(0, count)
    values.fill(0, start, start + random.integer(0, count))
  }
  for (let n = special ? Math.ceil(count / 100) : 0; n > 0 && count > 0; n--) {
    words[random.integer(0, count - 1)] = SPECIAL_BITS[random.integer(0, 11)] as number
  }
  return store(values, shape, dtype)
}

/** `values` rounded to the dtype. */
export function store(
  values: Float32Array<ArrayBuffer>,
  shape: readonly number[],
  dtype: FloatDType,
): Source {
  if (dtype === 'f32') return { dtype, shape, data: values, values }
  const bytes = encodeArray(dtype, values)
  const data = new Uint16Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, values.length)
  const widened = decodeArray(dtype, bytes) as Float32Array<ArrayBuffer>
  // The sign of a NaN counts; JavaScript numbers do not keep it.
  const words = new Uint32Array(widened.buffer, widened.byteOffset, widened.length)
  data.forEach((bits, i) => {
    if (Number.isNaN(widened[i])) words[i] = ((bits >>> 15) << 31) | 0x7fc0_0000
  })
  return { dtype, shape, data, values: widened }
}

/** The matrices of a source: rows, columns and row-major values of each. */
export function matricesOf({ shape, values }: Source): Float32Array<ArrayBuffer>[] {
  const [rows, cols] = shape.slice(-2) as [number, number]
  const groups = shape.length === 3 ? (shape[0] as number) : 1
  return Array.from({ length: groups }, (_, g) =>
    values.slice(g * rows * cols, (g + 1) * rows * cols),
  )
}

/** [rows, cols] values as [cols, rows]; bits stay what they are. */
export function transposeValues(
  values: Float32Array<ArrayBuffer>,
  [rows, cols]: readonly [number, number],
): Float32Array<ArrayBuffer> {
  const from = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const to = new Uint32Array(values.length)
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) to[j * rows + i] = from[i * cols + j] as number
  }
  return new Float32Array(to.buffer)
}
