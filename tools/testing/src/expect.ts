import { bf16Preimage, isBf16 } from './formats.js'
import { globalError, type PartError, rowErrors, tileErrors, worst } from './metrics.js'
import { expectAllWritten, expectUntouched, type PoisonDType } from './poison.js'
import type { Reference } from './reference/reference.js'

/** How a result was stored. */
export type CloseOptions = { readonly out: PoisonDType }

/**
 * Throws unless every written element of `actual` could come from an f32 result within the
 * reference's bound, rounded to nearest when the output is bf16.
 *
 * For f32 that is |actual − value| ≤ bound. For bf16 rounding is monotonic, so the reals that
 * round to the stored number must meet [value − bound, value + bound]: there is no tolerance
 * besides the proven bound, and a rounding half a unit in the last place too far fails.
 */
export function expectClose(
  actual: ArrayLike<number>,
  expected: Reference,
  { out }: CloseOptions,
): void {
  const { rows, cols, written } = expected
  if (actual.length !== rows * cols) {
    throw new Error(`${actual.length} elements instead of the ${rows * cols} of [${rows}, ${cols}]`)
  }
  let [bad, most, worstAt] = [0, -1, -1]
  for (let i = 0; i < actual.length; i++) {
    if (written !== undefined && written[Math.floor(i / cols)] === 0) continue
    const excess = excessOf(actual[i] as number, expected, i, out)
    if (excess === 0) continue
    bad++
    if (excess > most) [most, worstAt] = [excess, i]
  }
  if (bad > 0) throw new Error(report(actual, expected, { out, bad, worstAt }))
}

/** How many bounds an element is off beyond what is allowed; 0 when it is right. */
function excessOf(actual: number, expected: Reference, i: number, out: PoisonDType): number {
  const [value, bound] = [expected.values[i] as number, expected.bounds[i] as number]
  if (Number.isNaN(value)) return Number.isNaN(actual) ? 0 : Number.POSITIVE_INFINITY
  if (Number.isNaN(actual)) return Number.POSITIVE_INFINITY
  if (out === 'bf16' && !isBf16(actual)) return Number.POSITIVE_INFINITY
  if (!Number.isFinite(value)) return actual === value ? 0 : Number.POSITIVE_INFINITY
  const low = orInfinity(value - bound)
  const high = orInfinity(value + bound)
  const stored = out === 'bf16' ? bf16Preimage(actual) : { low: actual, high: actual }
  if (stored.low <= high && low <= stored.high) return 0
  return Math.max(stored.low - high, low - stored.high) / Math.max(bound, Number.MIN_VALUE)
}

/** What is too large for f32 overflows to infinity; the rest keeps its float64 value. */
function orInfinity(x: number): number {
  const rounded = Math.fround(x)
  return Number.isFinite(rounded) ? x : rounded
}

type Failure = { readonly out: PoisonDType; readonly bad: number; readonly worstAt: number }

function report(actual: ArrayLike<number>, expected: Reference, failure: Failure): string {
  const { rows, cols, values, bounds } = expected
  const { bad, worstAt: at, out } = failure
  const checked = Float64Array.from(actual, (x, i) =>
    expected.written?.[Math.floor(i / cols)] === 0 ? (values[i] as number) : x,
  )
  const row = worst(rowErrors(checked, values, expected)) as PartError
  const tile = worst(tileErrors(checked, values, expected)) as PartError
  return [
    `${bad} of ${rows * cols} elements of [${rows}, ${cols}] ${out} are out of bounds`,
    `worst element: row ${Math.floor(at / cols)}, column ${at % cols} is ${actual[at]}, expected ${values[at]} ± ${bounds[at]}`,
    `worst row: ${row.row}, maximum relative error ${row.error.toExponential(2)}`,
    `worst tile: row ${tile.row}, column ${tile.col}, maximum relative error ${tile.error.toExponential(2)}`,
    `global error: ${globalError(checked, values).toExponential(2)}`,
  ].join('\n')
}

/**
 * All that a run must do to an output that held poison: write every row it must, leave the others
 * untouched, and be close. `bytes` are the output's row-major bytes.
 */
export function expectOutput(bytes: Uint8Array, expected: Reference, { out }: CloseOptions): void {
  const isWritten = (row: number): boolean => expected.written?.[row] !== 0
  expectAllWritten(bytes, { dtype: out, cols: expected.cols, rows: isWritten })
  expectUntouched(bytes, { dtype: out, cols: expected.cols, rows: (row) => !isWritten(row) })
  expectClose(outputNumbers(bytes, out), expected, { out })
}

/** The numbers of an output, read byte by byte: independent of the codecs under test. */
export function outputNumbers(bytes: Uint8Array, out: PoisonDType): Float32Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const words = new Uint32Array(bytes.byteLength / (out === 'f32' ? 4 : 2))
  for (let i = 0; i < words.length; i++) {
    words[i] = out === 'f32' ? view.getUint32(i * 4, true) : view.getUint16(i * 2, true) << 16
  }
  return new Float32Array(words.buffer)
}
