/** The parameters that define a small binary floating-point format. */
export type FloatFormatSpec = {
  readonly exponentBits: number
  readonly mantissaBits: number
  /** Largest finite value; results above it follow `overflow`. */
  readonly max: number
  /** Code of positive infinity, if the format has one. */
  readonly infinityCode: number | undefined
  /** Positive code written for NaN. */
  readonly nanCode: number
  /** What a finite or infinite value beyond `max` becomes. */
  readonly overflow: 'saturate' | 'infinity'
}

/** Exact conversion between JavaScript numbers and a small floating-point format. */
export interface FloatCodec {
  readonly max: number
  /** The value of `code`, exact. */
  decode(code: number): number
  /** The code nearest to `value`, ties to even; the sign of NaN is not kept. */
  encode(value: number): number
}

const bits = new DataView(new ArrayBuffer(8))

/** floor(log2(|value|)) of a finite, non-zero number; -1023 for float64 subnormals. */
function exponentOf(value: number): number {
  bits.setFloat64(0, value)
  return ((bits.getUint16(0) >> 4) & 0x7ff) - 1023
}

/** The integer nearest to `value`, the even one of a tie. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest > 0.5) return floor + 1
  if (rest < 0.5) return floor
  return floor % 2 === 0 ? floor : floor + 1
}

/** Builds the codec of a format with IEEE-style subnormals from its parameters. */
export function floatCodec(spec: FloatFormatSpec): FloatCodec {
  const { exponentBits, mantissaBits, max } = spec
  const minExponent = 2 - 2 ** (exponentBits - 1)
  const one = 2 ** mantissaBits
  const signBit = 1 << (exponentBits + mantissaBits)
  const infinity = spec.infinityCode ?? Number.POSITIVE_INFINITY
  const overflowCode = spec.overflow === 'infinity' ? infinity : encodeFinite(max)

  /** `value` is finite, non-negative and at most `max` after rounding. */
  function encodeFinite(value: number): number {
    const exponent = Math.max(exponentOf(value), minExponent)
    const steps = roundHalfEven(value / 2 ** (exponent - mantissaBits))
    // Subnormals have no implicit one; for normals `steps` carries it into the exponent field.
    return (exponent - minExponent) * one + steps
  }

  const maxCode = encodeFinite(max)

  function encode(value: number): number {
    if (Number.isNaN(value)) return spec.nanCode
    const sign = value < 0 || Object.is(value, -0) ? signBit : 0
    const magnitude = Math.abs(value)
    if (magnitude === Number.POSITIVE_INFINITY) return sign | overflowCode
    const code = magnitude === 0 ? 0 : encodeFinite(magnitude)
    return sign | (code > maxCode ? overflowCode : code)
  }

  function decode(code: number): number {
    const magnitude = code & (signBit - 1)
    const sign = code & signBit ? -1 : 1
    if (magnitude > maxCode) {
      return magnitude === spec.infinityCode ? sign * Number.POSITIVE_INFINITY : Number.NaN
    }
    const exponentField = Math.floor(magnitude / one)
    const mantissa = magnitude % one
    const significand = exponentField === 0 ? mantissa : mantissa + one
    return sign * significand * 2 ** (Math.max(exponentField, 1) - 1 + minExponent - mantissaBits)
  }

  return { max, decode, encode }
}
