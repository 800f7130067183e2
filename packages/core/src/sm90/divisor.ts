/** What the kernels multiply with and shift by, in place of a division. */
export type Divisor = { readonly multiplier: number; readonly shift: number }

/**
 * Division of numbers below 2^31 by `value`, an integer from 1 to 2^31, as
 * `kernels/cuda/base/divisor.cuh` does it: shift 31 + ceil(log2 value), multiplier
 * ceil(2^shift / value).
 */
export function divisor(value: number): Divisor {
  const shift = 31 + 32 - Math.clz32(value - 1)
  const divided = BigInt(value)
  return { multiplier: Number(((1n << BigInt(shift)) + divided - 1n) / divided), shift }
}
