import { type Operand, sliceRows } from '../quantized.js'
import { referenceGemm } from './gemm.js'
import { emptyReference, type Reference } from './reference.js'

/** Rows `from` to `to` (exclusive) multiplied by the weights of `group`; −1: zeros. */
type Run = { readonly from: number; readonly to: number; readonly group: number }

/** How a product is accumulated; see `GemmInput`. */
type Accumulation = { readonly blockRoundoff?: number; readonly blockStep?: number }

/** Activations of all groups in one row space, and each group's weights. */
export type GroupedRowsInput = Accumulation & {
  /** [rows, K] */
  readonly a: Operand
  /** One [N, K] per group. */
  readonly b: readonly Operand[]
  /** [rows, N] values that the product is added to. */
  readonly c?: ArrayLike<number>
}

/**
 * Contiguous layout: each row is multiplied by the weights of its group. Rows marked −1 become
 * zeros, or keep C when accumulating.
 */
export function referenceContiguous(
  input: GroupedRowsInput & { readonly groupIndex: ArrayLike<number> },
): Reference {
  const runs: Run[] = []
  for (let from = 0; from < input.a.rows; ) {
    const group = input.groupIndex[from] as number
    let to = from + 1
    while (to < input.a.rows && input.groupIndex[to] === group) to++
    runs.push({ from, to, group })
    from = to
  }
  return multiplyRuns(input, runs)
}

/** Packed layout: group g owns rows offsets[g] to offsets[g + 1]; other rows are untouched. */
export function referencePacked(
  input: GroupedRowsInput & { readonly offsets: ArrayLike<number> },
): Reference {
  const runs = input.b.map((_, group) => ({
    from: input.offsets[group] as number,
    to: input.offsets[group + 1] as number,
    group,
  }))
  const written = new Uint8Array(input.a.rows)
  for (const { from, to } of runs) written.fill(1, from, to)
  return { ...multiplyRuns(input, runs), written }
}

function multiplyRuns({ a, b, c, ...how }: GroupedRowsInput, runs: readonly Run[]): Reference {
  const n = b[0]?.rows ?? 0
  const result = emptyReference(a.rows, n)
  // An unmarked row keeps C, exactly.
  if (c !== undefined) result.values.set(Array.from(c))
  for (const { from, to, group } of runs) {
    const weights = b[group]
    if (weights === undefined) continue
    const own = { ...accumulation(how), ...addends(c, from * n, to * n) }
    place(result, from, referenceGemm({ a: sliceRows(a, from, to), b: weights, ...own }))
  }
  return result
}

/**
 * Masked layout: A [G, maxM, K] and D [G, maxM, N] as one reference of G · maxM rows; rows of a
 * group from its size on are untouched.
 */
export function referenceMasked(
  input: Accumulation & {
    /** One [maxM, K] per group. */
    readonly a: readonly Operand[]
    /** One [N, K] per group. */
    readonly b: readonly Operand[]
    readonly sizes: ArrayLike<number>
    /** [G, maxM, N] */
    readonly c?: ArrayLike<number>
  },
): Reference {
  const maxM = input.a[0]?.rows ?? 0
  const n = input.b[0]?.rows ?? 0
  const result = emptyReference(input.a.length * maxM, n)
  const written = new Uint8Array(result.rows)
  input.a.forEach((rows, group) => {
    const size = input.sizes[group] as number
    const first = group * maxM
    const own = { ...accumulation(input), ...addends(input.c, first * n, (first + size) * n) }
    const product = referenceGemm({
      a: sliceRows(rows, 0, size),
      b: input.b[group] as Operand,
      ...own,
    })
    place(result, first, product)
    written.fill(1, first, first + size)
  })
  return { ...result, written }
}

/**
 * K-grouped layout: D[g] = (C[g] +) A[g] · B[g]ᵀ over the group's own slice of K, as one reference
 * of G · M rows. An empty group gives zeros, or C.
 */
export function referenceKGrouped(
  input: Accumulation & {
    /** One [M, K of the group] per group, see `kGroupOperands`. */
    readonly a: readonly Operand[]
    readonly b: readonly Operand[]
    /** [G, M, N] */
    readonly c?: ArrayLike<number>
  },
): Reference {
  const [m, n] = [input.a[0]?.rows ?? 0, input.b[0]?.rows ?? 0]
  const result = emptyReference(input.a.length * m, n)
  input.a.forEach((a, group) => {
    const own = {
      ...accumulation(input),
      ...addends(input.c, group * m * n, (group + 1) * m * n),
    }
    place(result, group * m, referenceGemm({ a, b: input.b[group] as Operand, ...own }))
  })
  return result
}

function place(result: Reference, firstRow: number, part: Reference): void {
  result.values.set(part.values, firstRow * result.cols)
  result.bounds.set(part.bounds, firstRow * result.cols)
}

function accumulation({ blockRoundoff, blockStep }: Accumulation): Accumulation {
  return {
    ...(blockRoundoff !== undefined && { blockRoundoff }),
    ...(blockStep !== undefined && { blockStep }),
  }
}

/** The part of C that one product is added to, as `referenceGemm` takes it. */
function addends(c: ArrayLike<number> | undefined, from: number, to: number): { c?: Float64Array } {
  if (c === undefined) return {}
  return { c: Float64Array.from({ length: to - from }, (_, i) => c[from + i] as number) }
}
