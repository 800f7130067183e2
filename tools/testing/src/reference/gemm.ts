import { E4M3_VALUES } from '../formats.js'
import type { Operand } from '../quantized.js'
import {
  emptyReference,
  F32_ROUNDOFF,
  F32_UNDERFLOW,
  F64_ROUNDOFF,
  gamma,
  type Reference,
} from './reference.js'

const BLOCK_K = 128

/** D = (C +) A · Bᵀ. */
export type GemmInput = {
  /** [M, K] */
  readonly a: Operand
  /** [N, K] */
  readonly b: Operand
  /** [M, N] values that the product is added to. */
  readonly c?: ArrayLike<number>
  /** Unit roundoff of the accumulation within a block of K; the default is f32's. */
  readonly blockRoundoff?: number
  /**
   * Columns that are added at once, with zeros in place of those that are missing; default 1. Tensor
   * cores add 32: each product is cut off where the largest one and its sum need the bits.
   */
  readonly blockStep?: number
}

/**
 * The float64 product of the dequantised operands, with the error that two-level accumulation may
 * have.
 *
 * A product of two e4m3 numbers is exact in f32. Within a block of t ≤ 128 it passes at most t − 1
 * additions, in whatever order they are made; the two scales are multiplied and applied (2
 * roundings); the scaled partial sum passes at most one addition per block and one for C. So with
 * B blocks an element is off by at most γ(t + B + 2) · Σ|a·b|·sa·sb + γ(B + 1)·|c|. Scales and
 * partial sums that underflow add half a subnormal each, times what multiplies them.
 */
export function referenceGemm(input: GemmInput): Reference {
  const { a, b, c } = input
  if (a.k !== b.k) throw new Error(`operands disagree in K: ${a.k} and ${b.k}`)
  const result = emptyReference(a.rows, b.rows)
  const rowsOfA = decode(a)
  const rowsOfB = decode(b)
  const bound = boundOf(a.k, input.blockRoundoff ?? F32_ROUNDOFF, input.blockStep ?? 1)
  const sums: Sums = { value: 0, magnitude: 0, unscaled: 0 }
  for (let m = 0; m < a.rows; m++) {
    const scalesA = scalesOf(a, m)
    for (let n = 0; n < b.rows; n++) {
      multiplyRows(
        sums,
        rowsOfA.subarray(m * a.k, (m + 1) * a.k),
        rowsOfB,
        n * b.k,
        (block) => (scalesA[block] as number) * b.scale(n, block),
      )
      const at = m * b.rows + n
      const start = c === undefined ? 0 : (c[at] as number)
      result.values[at] = start + sums.value
      result.bounds[at] = bound(sums, Math.abs(start))
    }
  }
  return result
}

type Sums = { value: number; magnitude: number; unscaled: number }

function multiplyRows(
  sums: Sums,
  rowA: Float64Array,
  rowsOfB: Float64Array,
  startB: number,
  scale: (block: number) => number,
): void {
  sums.value = sums.magnitude = sums.unscaled = 0
  for (let from = 0, block = 0; from < rowA.length; from += BLOCK_K, block++) {
    const to = Math.min(from + BLOCK_K, rowA.length)
    // Multiples of 2^-18 below 2^25: exact in float64.
    let [partial, magnitude] = [0, 0]
    for (let k = from; k < to; k++) {
      const product = (rowA[k] as number) * (rowsOfB[startB + k] as number)
      partial += product
      magnitude += Math.abs(product)
    }
    const factor = scale(block)
    sums.value += partial * factor
    sums.magnitude += magnitude * Math.abs(factor)
    sums.unscaled += magnitude
  }
}

function boundOf(
  k: number,
  blockRoundoff: number,
  step: number,
): (sums: Sums, start: number) => number {
  const blocks = Math.ceil(k / BLOCK_K)
  const within = gamma(Math.min(Math.ceil(k / step) * step, BLOCK_K), blockRoundoff)
  const across = gamma(blocks + 2)
  const oracle = gamma(blocks + 2, F64_ROUNDOFF)
  const relative = within + across + within * across + oracle
  return ({ magnitude, unscaled }, start) =>
    relative * magnitude +
    gamma(blocks + 1) * start +
    2 * F32_UNDERFLOW * (unscaled + (k === 0 ? 0 : blocks))
}

function decode(operand: Operand): Float64Array {
  const count = operand.rows * operand.k
  if (operand.codes.length !== count) {
    throw new Error(`operand has ${operand.codes.length} codes instead of ${count}`)
  }
  return Float64Array.from(operand.codes, (code) => E4M3_VALUES[code] as number)
}

function scalesOf(operand: Operand, row: number): Float64Array {
  const blocks = Math.ceil(operand.k / BLOCK_K)
  return Float64Array.from({ length: blocks }, (_, block) => operand.scale(row, block))
}
