import { type FloatCodec, floatCodec } from './float-format.js'

/** Largest finite e4m3 value; quantisation scales are amax / 448. */
export const E4M3_MAX = 448

/**
 * float8_e4m3fn (OCP 8-bit Floating Point Specification 1.0): max 448, no infinity, NaN is
 * S.1111.111. Values beyond the range, infinities included, saturate, as `cvt.rn.satfinite` does.
 */
export const e4m3: FloatCodec = floatCodec({
  exponentBits: 4,
  mantissaBits: 3,
  max: E4M3_MAX,
  infinityCode: undefined,
  nanCode: 0x7f,
  overflow: 'saturate',
})

/**
 * float8_e5m2 (OCP 8-bit Floating Point Specification 1.0): max 57344, infinity 0x7c. Encoding
 * saturates as `cvt.rn.satfinite` does; infinities are decoded but never written.
 */
export const e5m2: FloatCodec = floatCodec({
  exponentBits: 5,
  mantissaBits: 2,
  max: 57344,
  infinityCode: 0x7c,
  nanCode: 0x7f,
  overflow: 'saturate',
})

/** IEEE 754 binary16: max 65504; values that round beyond it become infinity. */
export const f16: FloatCodec = floatCodec({
  exponentBits: 5,
  mantissaBits: 10,
  max: 65504,
  infinityCode: 0x7c00,
  nanCode: 0x7e00,
  overflow: 'infinity',
})

/** bfloat16: the upper half of a binary32. Values that round beyond its range become infinity. */
export const bf16: FloatCodec = floatCodec({
  exponentBits: 8,
  mantissaBits: 7,
  max: (2 - 2 ** -7) * 2 ** 127,
  infinityCode: 0x7f80,
  nanCode: 0x7fc0,
  overflow: 'infinity',
})

/**
 * ue8m0 (OCP Microscaling Formats 1.0, E8M0): code c is 2^(c − 127), 0xff is NaN.
 *
 * A power-of-two format has no nearest-even; encoding rounds up, so that a scale never shrinks
 * below what its block needs (`cvt.rp.satfinite.ue8m0x2`). Values at or below 2^−127 give code 0,
 * values above 2^127 and infinity give 2^127, negative values and NaN give NaN.
 */
export const ue8m0: FloatCodec = {
  max: 2 ** 127,
  decode(code: number): number {
    return code === 0xff ? Number.NaN : 2 ** (code - 127)
  },
  encode(value: number): number {
    if (!(value >= 0)) return 0xff
    let code = 0
    while (code < 254 && 2 ** (code - 127) < value) code++
    return code
  },
}
