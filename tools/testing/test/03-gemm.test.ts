import {
  expectClose,
  type GemmCase,
  gemmCases,
  type Operand,
  operandOf,
  randomQuantized,
  referenceGemm,
  transposed,
} from '@deepgemm/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { f32Product, matrix, operand, toBf16 } from './helpers.js'

const ONE = 56
const TWO = 64

describe('reference product', () => {
  it('multiplies values by the scales of their row and block of K', () => {
    const a = operandOf(matrix([2, 2], '1x128', [ONE, TWO, TWO, TWO], [1, 10]))
    const b = operandOf(matrix([1, 2], '128x128', [ONE, TWO], [0.5]))
    expect([...referenceGemm({ a, b }).values]).toEqual([2.5, 30])
  })

  it('takes the scale of each block of K in turn', () => {
    const codes = new Array<number>(130).fill(ONE)
    const a = operandOf(matrix([1, 130], '1x128', codes, [1, 100]))
    const b = operandOf(matrix([1, 130], '1x128', codes, [2, 3]))
    expect([...referenceGemm({ a, b }).values]).toEqual([128 * 2 + 2 * 300])
  })

  it('takes one scale per 128 rows of a block-scaled operand', () => {
    const a = operandOf(matrix([1, 1], '1x128', [ONE], [1]))
    const b = operandOf(matrix([129, 1], '128x128', new Array<number>(129).fill(ONE), [1, 7]))
    const { values } = referenceGemm({ a, b })
    expect([values[0], values[127], values[128]]).toEqual([1, 1, 7])
  })

  it('adds to C, and gives C for an empty K', () => {
    const a = operandOf(matrix([1, 1], '1x128', [ONE], [1]))
    expect(referenceGemm({ a, b: a, c: [5] }).values[0]).toBe(6)
    const empty: Operand = { rows: 1, k: 0, codes: new Uint8Array(0), scale: () => 1 }
    expect(referenceGemm({ a: empty, b: empty, c: [5] }).values[0]).toBe(5)
    expect(referenceGemm({ a: empty, b: empty })).toMatchObject({
      values: new Float64Array(1),
      bounds: new Float64Array(1),
    })
  })

  it('lets NaN reach the row it stands in and no other', () => {
    const a = operandOf(matrix([2, 1], '1x128', [0x7f, ONE], [1, 1]))
    const b = operandOf(matrix([2, 1], '1x128', [ONE, TWO], [1, 1]))
    expect([...referenceGemm({ a, b }).values]).toEqual([Number.NaN, Number.NaN, 1, 2])
  })

  it('refuses operands that disagree', () => {
    expect(() => referenceGemm({ a: operand(1, 1, 2), b: operand(1, 1, 3) })).toThrow(
      'in K: 2 and 3',
    )
    const short = { ...operand(1, 2, 2), codes: new Uint8Array(3) }
    expect(() => referenceGemm({ a: short, b: operand(1, 1, 2) })).toThrow('3 codes instead of 4')
    const wrong = randomQuantized(1, { rows: 2, cols: 2, recipe: '128x1' })
    expect(() => operandOf(wrong)).toThrow('blocks along K')
  })

  it('sees a matrix transposed twice as it was', () => {
    const spec = { rows: 130, cols: 5, recipe: '128x1' } as const
    const once = transposed(randomQuantized(4, spec))
    expect(once).toMatchObject({ rows: 5, cols: 130, recipe: '1x128' })
    expect(transposed(once)).toEqual(randomQuantized(4, spec))
  })
})

describe('error bound of two-level accumulation', () => {
  const close = (sample: GemmCase, order: 'up' | 'down'): void => {
    const [a, b] = [operandOf(sample.a), operandOf(sample.b)]
    const product = f32Product(a, b, order)
    const reference = referenceGemm({ a, b })
    expectClose(product, reference, { out: 'f32' })
    expectClose(toBf16(product), reference, { out: 'bf16' })
  }

  it('holds for f32 arithmetic in any order of K', () => {
    const small = { maxM: 6, maxN: 6, maxK: 400 }
    fc.assert(fc.property(gemmCases(small), fc.constantFrom('up', 'down'), close), { numRuns: 150 })
  })

  it('widens for an accumulator with fewer bits', () => {
    const [a, b] = [operand(1, 1, 128), operand(2, 1, 128)]
    const narrow = referenceGemm({ a, b, blockRoundoff: 2 ** -14 }).bounds[0] as number
    expect(narrow).toBeGreaterThan(500 * (referenceGemm({ a, b }).bounds[0] as number))
  })
})
