import {
  expectClose,
  kGroupOperands,
  operandOf,
  randomQuantized,
  referenceContiguous,
  referenceGemm,
  referenceKGrouped,
  referenceMasked,
  referencePacked,
  sliceRows,
} from '@deepgemm/testing'
import { describe, expect, it } from 'vitest'
import { operand } from './helpers.js'

const [N, K] = [3, 200]
const weights = [operand(10, N, K), operand(11, N, K)]
const rows = operand(12, 6, K)
const c = Array.from({ length: 6 * N }, (_, i) => i + 1)
const [first, second] = weights.map((b) => [...referenceGemm({ a: rows, b }).values])
const row = (values: number[] | undefined, i: number): number[] =>
  (values ?? []).slice(i * N, (i + 1) * N)

describe('contiguous reference', () => {
  const groupIndex = [0, 0, -1, 1, -1, 0]

  it('multiplies each row by its group and writes zeros into padding rows', () => {
    const { values, bounds, written } = referenceContiguous({ a: rows, b: weights, groupIndex })
    const zeros = [0, 0, 0]
    expect([...values]).toEqual([
      ...row(first, 0),
      ...row(first, 1),
      ...zeros,
      ...row(second, 3),
      ...zeros,
      ...row(first, 5),
    ])
    expect([...bounds.slice(2 * N, 3 * N)]).toEqual(zeros)
    expect(written).toBeUndefined()
  })

  it('keeps C in padding rows when accumulating', () => {
    const { values } = referenceContiguous({ a: rows, b: weights, groupIndex, c })
    expect(row([...values], 2)).toEqual(row(c, 2))
    expect(values[0]).toBe((first?.[0] as number) + 1)
  })
})

describe('packed reference', () => {
  it('leaves rows outside all groups untouched', () => {
    const { values, written } = referencePacked({ a: rows, b: weights, offsets: [1, 1, 4] })
    expect([...(written ?? [])]).toEqual([0, 1, 1, 1, 0, 0])
    expect(row([...values], 2)).toEqual(row(second, 2))
  })

  it('adds to the rows of C that belong to the group', () => {
    const { values } = referencePacked({ a: rows, b: weights, offsets: [0, 2, 6], c })
    expect(row([...values], 3)).toEqual(row(second, 3).map((x, i) => x + 3 * N + i + 1))
  })
})

describe('masked reference', () => {
  const a = [sliceRows(rows, 0, 3), sliceRows(rows, 3, 6)]

  it('leaves rows past the size of a group untouched', () => {
    const { values, written } = referenceMasked({ a, b: weights, sizes: [0, 2] })
    expect([...(written ?? [])]).toEqual([0, 0, 0, 1, 1, 0])
    expect(row([...values], 4)).toEqual(row(second, 4))
  })

  it('adds to the rows of C in use', () => {
    const { values } = referenceMasked({ a, b: weights, sizes: [1, 3], c })
    expect(row([...values], 5)).toEqual(row(second, 5).map((x, i) => x + 5 * N + i + 1))
  })
})

describe('k-grouped reference', () => {
  const sizes = [130, 0, 70]
  const [m, n] = [2, 3]
  const matrixOf = (
    seed: number,
    count: number,
    cols: number,
  ): { codes: Uint8Array; grid: Float32Array } => {
    const { codes } = randomQuantized(seed, { rows: count, cols: 200, recipe: '1x128' })
    const { grid } = randomQuantized(seed, { rows: count, cols: cols * 128, recipe: '1x128' })
    return { codes, grid }
  }
  const a = matrixOf(1, m, 3)
  const b = matrixOf(2, n, 3)
  const groupsOfA = kGroupOperands(m, sizes, a.codes, a.grid)
  const groupsOfB = kGroupOperands(n, sizes, b.codes, b.grid)

  it('starts the blocks of scales anew with every group', () => {
    expect(groupsOfA.map(({ k }) => k)).toEqual(sizes)
    expect(groupsOfA[0]?.scale(1, 1)).toBe(a.grid[3 + 1])
    expect(groupsOfA[2]?.scale(1, 0)).toBe(a.grid[3 + 2])
    expect(groupsOfA[2]?.codes[70]).toBe(a.codes[200 + 130])
  })

  it('adds up each group alone; an empty one gives zeros or C', () => {
    const plain = referenceKGrouped({ a: groupsOfA, b: groupsOfB })
    expect([...plain.values.slice(m * n, 2 * m * n)]).toEqual(new Array(m * n).fill(0))
    const start = Array.from({ length: 3 * m * n }, (_, i) => i)
    const added = referenceKGrouped({ a: groupsOfA, b: groupsOfB, c: start })
    expect(added.values[m * n]).toBe(m * n)
    expect(added.values[1]).toBe((plain.values[1] as number) + 1)
  })

  it('agrees with a dense product over whole blocks', () => {
    const x = randomQuantized(5, { rows: m, cols: 384, recipe: '1x128' })
    const parts = kGroupOperands(m, [128, 256], x.codes, x.grid)
    const { values } = referenceKGrouped({ a: parts, b: parts })
    const dense = referenceGemm({ a: operandOf(x), b: operandOf(x) })
    const sums = Array.from(
      dense.values,
      (_, i) => (values[i] as number) + (values[m * m + i] as number),
    )
    expectClose(sums, dense, { out: 'f32' })
  })
})
