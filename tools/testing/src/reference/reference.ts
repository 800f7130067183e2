/** What an operation must produce: float64 values, and how far each f32 result may be from its own. */
export type Reference = {
  readonly rows: number
  readonly cols: number
  /** [rows, cols] */
  readonly values: Float64Array
  /**
   * Proven bound of |f32 result − value| for each element, before any rounding to a narrower
   * output. Zero asks for the exact value.
   */
  readonly bounds: Float64Array
  /** One byte per row: 0 where the operation must leave the output untouched. Default: all written. */
  readonly written?: Uint8Array
}

/** Unit roundoff of f32 and float64: half a unit in the last place, relative. */
export const F32_ROUNDOFF: number = 2 ** -24
export const F64_ROUNDOFF: number = 2 ** -53

/** Half of the smallest f32 subnormal: the absolute error of one rounding that underflows. */
export const F32_UNDERFLOW: number = 2 ** -150

/**
 * γ(n) = n·u / (1 − n·u): the relative error that n roundings in sequence cannot exceed
 * (Higham, Accuracy and Stability of Numerical Algorithms, lemma 3.1).
 */
export function gamma(roundings: number, roundoff: number = F32_ROUNDOFF): number {
  return (roundings * roundoff) / (1 - roundings * roundoff)
}

/** A reference of the given shape with zeros everywhere, to be filled. */
export function emptyReference(rows: number, cols: number): Reference {
  return {
    rows,
    cols,
    values: new Float64Array(rows * cols),
    bounds: new Float64Array(rows * cols),
  }
}
