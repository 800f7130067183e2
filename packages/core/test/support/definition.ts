/** A floating-point format as its standard defines it: fields of bits and a bias. */
export type Definition = {
  readonly exponentBits: number
  readonly mantissaBits: number
  readonly bias: number
  /** Magnitude bits, as a binary string, of infinity and of NaN. */
  readonly isInfinity: (exponent: string, mantissa: string) => boolean
  readonly isNaN: (exponent: string, mantissa: string) => boolean
}

const ones = (bits: string): boolean => !bits.includes('0')
const zeros = (bits: string): boolean => !bits.includes('1')

/** IEEE 754: the highest exponent is infinity with a zero mantissa, else NaN. */
const IEEE = {
  isInfinity: (exponent: string, mantissa: string) => ones(exponent) && zeros(mantissa),
  isNaN: (exponent: string, mantissa: string) => ones(exponent) && !zeros(mantissa),
}

export const DEFINITIONS = {
  /** OFP8 E4M3: no infinity, and only S.1111.111 is NaN. */
  e4m3: {
    exponentBits: 4,
    mantissaBits: 3,
    bias: 7,
    isInfinity: () => false,
    isNaN: (exponent: string, mantissa: string) => ones(exponent) && ones(mantissa),
  },
  e5m2: { exponentBits: 5, mantissaBits: 2, bias: 15, ...IEEE },
  f16: { exponentBits: 5, mantissaBits: 10, bias: 15, ...IEEE },
  bf16: { exponentBits: 8, mantissaBits: 7, bias: 127, ...IEEE },
} satisfies Record<string, Definition>

/** (−1)^S · 2^(E − bias) · 1.M, or (−1)^S · 2^(1 − bias) · 0.M for a zero exponent field. */
export function definedValue(code: number, format: Definition): number {
  const { exponentBits, mantissaBits, bias } = format
  const bits = code.toString(2).padStart(1 + exponentBits + mantissaBits, '0')
  const sign = bits[0] === '1' ? -1 : 1
  const exponent = bits.slice(1, 1 + exponentBits)
  const mantissa = bits.slice(1 + exponentBits)
  if (format.isNaN(exponent, mantissa)) return Number.NaN
  if (format.isInfinity(exponent, mantissa)) return sign * Number.POSITIVE_INFINITY
  const fraction = [...mantissa].reduce((sum, bit, i) => sum + Number(bit) * 2 ** -(i + 1), 0)
  const field = Number.parseInt(exponent, 2)
  return field === 0
    ? sign * 2 ** (1 - bias) * fraction
    : sign * 2 ** (field - bias) * (1 + fraction)
}

/** Values of the codes 0, 1, … of finite non-negative numbers: they ascend. */
export function finiteMagnitudes(format: Definition): number[] {
  const values: number[] = []
  for (let value = 0; Number.isFinite(value); value = definedValue(values.length, format)) {
    values.push(value)
  }
  return values
}

const float = new Float64Array(1)
const word = new BigInt64Array(float.buffer)

/** The float64 next to a positive `value`, `steps` away; negative steps go towards zero. */
export function neighbour(value: number, steps: number): number {
  float[0] = value
  word[0] = (word[0] as bigint) + BigInt(steps)
  return float[0] as number
}
