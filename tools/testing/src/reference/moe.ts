import { emptyReference, F32_UNDERFLOW, gamma, type Reference } from './reference.js'

/**
 * silu(gate) · up of [rows, 2 · columns] = gate | up.
 *
 * In f32: exp within 2 units in the last place (4 roundings' worth), an addition, a division and a
 * multiplication. Where exp(−gate) overflows, silu rounds to −0 instead of to less than 2^-121.
 */
export function referenceSwiglu(
  input: ArrayLike<number>,
  [rows, columns]: readonly [number, number],
): Reference {
  const result = emptyReference(rows, columns)
  const relative = gamma(4 + 3)
  for (let at = 0; at < rows * columns; at++) {
    const [row, column] = [Math.floor(at / columns), at % columns]
    const gate = input[row * 2 * columns + column] as number
    const up = input[row * 2 * columns + columns + column] as number
    const value = (gate / (1 + Math.exp(-gate))) * up
    result.values[at] = value
    result.bounds[at] = relative * Math.abs(value) + 2 ** -120 * Math.abs(up) + F32_UNDERFLOW
  }
  return result
}

/** Rows of expert outputs, weighted and summed per token. */
export type CombineInput = {
  readonly tokens: number
  readonly topK: number
  readonly columns: number
  /** [tokens, topK]: row of `rows`, or −1 for none. */
  readonly destination: ArrayLike<number>
  /** [tokens, topK] */
  readonly weights: ArrayLike<number>
  /** [rows, columns] */
  readonly rows: ArrayLike<number>
  /** [tokens, columns], such as the output of shared experts. */
  readonly addend?: ArrayLike<number>
}

/** Σ weight · row (+ addend): one rounding for each product and each sum. */
export function referenceCombine(input: CombineInput): Reference {
  const { tokens, topK, columns, destination, weights, rows, addend } = input
  const result = emptyReference(tokens, columns)
  const relative = gamma(topK + 1 + (addend === undefined ? 0 : 1))
  for (let at = 0; at < tokens * columns; at++) {
    const [token, column] = [Math.floor(at / columns), at % columns]
    let [sum, magnitude] = [0, 0]
    for (let slot = token * topK; slot < (token + 1) * topK; slot++) {
      const row = destination[slot] as number
      if (row < 0) continue
      const term = (weights[slot] as number) * (rows[row * columns + column] as number)
      sum += term
      magnitude += Math.abs(term)
    }
    const extra = addend === undefined ? 0 : (addend[at] as number)
    result.values[at] = sum + extra
    result.bounds[at] = relative * (magnitude + Math.abs(extra)) + topK * F32_UNDERFLOW
  }
  return result
}
