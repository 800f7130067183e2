/**
 * The small formats, built without bit fields: by counting up from zero and doubling the step at
 * every binade. Nothing here shares code or method with the codecs of core or of the kernels.
 */

/** e4m3 has 126 positive finite values, 2^-9 apart at the bottom; code 0x7f is NaN. */
const E4M3_NAN = 0x7f

function countE4m3(): Float64Array {
  const values = new Float64Array(256)
  let value = 0
  let step = 2 ** -9
  for (let code = 0; code < E4M3_NAN; code++) {
    // Codes 0 to 15 are subnormals and the first binade; then the step doubles every eight codes.
    if (code >= 16 && code % 8 === 0) step *= 2
    values[code] = value
    values[code + 128] = -value
    value += step
  }
  values[E4M3_NAN] = Number.NaN
  values[E4M3_NAN + 128] = Number.NaN
  return values
}

function doubleUe8m0(): Float64Array {
  const values = new Float64Array(256)
  let value = 2 ** -127
  for (let code = 0; code < 255; code++) {
    values[code] = value
    value *= 2
  }
  values[255] = Number.NaN
  return values
}

/** Value of every e4m3 code. */
export const E4M3_VALUES: Float64Array = countE4m3()

/** Value of every ue8m0 code. */
export const UE8M0_VALUES: Float64Array = doubleUe8m0()

/**
 * The e4m3 code nearest to `value`, found by bisection; of two equally near ones the even code.
 * Saturates. A NaN gives 0x7f: JavaScript does not show its sign.
 */
export function nearestE4m3(value: number): number {
  if (Number.isNaN(value)) return E4M3_NAN
  const magnitude = Math.abs(value)
  let [low, high] = [0, E4M3_NAN - 1]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if ((E4M3_VALUES[middle] as number) <= magnitude) low = middle
    else high = middle
  }
  const middle = ((E4M3_VALUES[low] as number) + (E4M3_VALUES[high] as number)) / 2
  const up = magnitude > middle || (magnitude === middle && high % 2 === 0)
  const negative = value < 0 || Object.is(value, -0)
  return (up ? high : low) + (negative ? 128 : 0)
}

/** The ue8m0 code of the smallest power of two that is at least `value`, for positive values. */
export function ceilUe8m0(value: number): number {
  const code = UE8M0_VALUES.findIndex((power) => power >= value)
  return code < 0 ? 254 : code
}

const word = new Uint32Array(1)
const single = new Float32Array(word.buffer)

/** Value of the bf16 with magnitude bits `code`, infinity taken as the next power of two. */
function bf16Magnitude(code: number): number {
  if (code >= 0x7f80) return 2 ** 128
  word[0] = code << 16
  return single[0] as number
}

/** True when `value` needs no more than the bits of a bf16. */
export function isBf16(value: number): boolean {
  single[0] = value
  return Number.isNaN(value) || ((word[0] as number) & 0xffff) === 0
}

/**
 * The closed interval of reals that round to the finite or infinite bf16 `value` under round to
 * nearest. Its ends are ties, which belong to one neighbour only; a closed interval allows both.
 */
export function bf16Preimage(value: number): { readonly low: number; readonly high: number } {
  single[0] = Math.abs(value)
  const code = (word[0] as number) >>> 16
  const here = bf16Magnitude(code)
  const below = code === 0 ? -bf16Magnitude(1) : bf16Magnitude(code - 1)
  const inner = (below + here) / 2
  const outer = code === 0x7f80 ? Number.POSITIVE_INFINITY : (here + bf16Magnitude(code + 1)) / 2
  return value < 0 ? { low: -outer, high: -inner } : { low: inner, high: outer }
}
