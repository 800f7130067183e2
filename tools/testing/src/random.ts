/** A stream of pseudo-random numbers that a seed determines. */
export interface Random {
  /** Uniform 32-bit unsigned integer. */
  bits(): number
  /** Uniform in [0, 1). */
  uniform(): number
  /** Uniform integer from `min` to `max`, both included. */
  integer(min: number, max: number): number
  /** Standard normal deviate. */
  normal(): number
}

/** sfc32 (Chris Doty-Humphrey's Small Fast Counter), seeded with one number. */
export function createRandom(seed: number): Random {
  let [a, b, c, counter] = [0x9e3779b9, 0x243f6a88, seed | 0, 1]
  let spare: number | undefined

  function bits(): number {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  // The first outputs of near-equal seeds are correlated.
  for (let i = 0; i < 16; i++) bits()

  const uniform = (): number => bits() / 2 ** 32

  /** Marsaglia's polar method makes two deviates at a time. */
  function normal(): number {
    if (spare !== undefined) {
      const kept = spare
      spare = undefined
      return kept
    }
    for (;;) {
      const [x, y] = [2 * uniform() - 1, 2 * uniform() - 1]
      const square = x * x + y * y
      if (square === 0 || square >= 1) continue
      const factor = Math.sqrt((-2 * Math.log(square)) / square)
      spare = y * factor
      return x * factor
    }
  }

  return {
    bits,
    uniform,
    integer: (min, max) => min + Math.floor(uniform() * (max - min + 1)),
    normal,
  }
}

/** `count` normal deviates, rounded to f32: what activations and weights look like. */
export function normalArray(
  random: Random,
  count: number,
  deviation = 1,
): Float32Array<ArrayBuffer> {
  const out = new Float32Array(count)
  for (let i = 0; i < count; i++) out[i] = random.normal() * deviation
  return out
}

/** Magnitude bits of both e4m3 NaNs. */
const NAN_MAGNITUDE = 0x7f

/** Uniform e4m3 codes: every finite one, subnormals and both zeros included; NaN only if asked for. */
export function randomCodes(
  random: Random,
  count: number,
  { nan = false }: { readonly nan?: boolean } = {},
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(count)
  for (let i = 0; i < count; i++) {
    const code = random.bits() >>> 24
    out[i] = !nan && (code & NAN_MAGNITUDE) === NAN_MAGNITUDE ? code - 1 : code
  }
  return out
}

/** Powers of two that bound random scales. */
export type ExponentRange = { readonly min: number; readonly max: number }

/** Wide enough to expose mixed-up scales, narrow enough that no product leaves f32. */
export const DEFAULT_EXPONENTS: ExponentRange = { min: -20, max: 20 }

/** Positive f32 scales, uniform in the exponent; only powers of two when `powersOfTwo`. */
export function randomScales(
  random: Random,
  count: number,
  options: { readonly powersOfTwo?: boolean; readonly exponents?: ExponentRange } = {},
): Float32Array<ArrayBuffer> {
  const { min, max } = options.exponents ?? DEFAULT_EXPONENTS
  const out = new Float32Array(count)
  for (let i = 0; i < count; i++) {
    const mantissa = options.powersOfTwo === true ? 1 : 1 + random.uniform()
    out[i] = mantissa * 2 ** random.integer(min, max)
  }
  return out
}
