import {
  expectClose,
  expectOutput,
  type Operand,
  outputNumbers,
  poisonBytes,
  type Reference,
  referenceGemm,
} from '@deepgemm/testing'
import { describe, expect, it } from 'vitest'
import { bytesOf, f32Product, operand, toBf16 } from './helpers.js'

const [M, N, K] = [130, 140, 300]
// Scales of one size: a wrong element cannot hide behind a large neighbour, nor stand out.
const alike = { exponents: { min: 0, max: 0 } }
const a = operand(1, M, K, alike)
const b = operand(2, N, K, alike)
const reference = referenceGemm({ a, b })
const product = f32Product(a, b)

/** Asserts that a damaged copy of the right product is refused in both output types. */
function refused(damage: (values: Float32Array) => void, message: RegExp | string): void {
  const damaged = product.slice()
  damage(damaged)
  expect(() => expectClose(damaged, reference, { out: 'f32' })).toThrow(message)
  expect(() => expectClose(toBf16(damaged), reference, { out: 'bf16' })).toThrow(message)
}

describe('a close result', () => {
  it('is the right product in either output type', () => {
    expectClose(product, reference, { out: 'f32' })
    expectClose(toBf16(product), reference, { out: 'bf16' })
  })

  it('has no zeroed corner', () => {
    refused((values) => {
      for (let row = 128; row < M; row++) values.fill(0, row * N + 128, row * N + 140)
    }, /24 of 18200 elements .* are out of bounds[\s\S]*worst tile: row 128, column 128, maximum relative error 1\.00e\+0/)
  })

  it('has no rows swapped', () => {
    refused((values) => {
      const row = values.slice(3 * N, 4 * N)
      values.copyWithin(3 * N, 4 * N, 5 * N)
      values.set(row, 4 * N)
    }, /worst row: [34],/)
  })

  it('has no single wrong element, which the message names', () => {
    refused((values) => {
      values[7 * N + 9] = (values[7 * N + 9] as number) * 1.02
    }, 'worst element: row 7, column 9 is')
  })

  it('has no NaN or infinity where a number belongs', () => {
    refused((values) => values.fill(Number.NaN, 5, 6), 'row 0, column 5 is NaN')
    refused((values) => values.fill(Number.NEGATIVE_INFINITY, 6, 7), 'row 0, column 6 is -Infinity')
  })

  it('has as many elements as the reference', () => {
    expect(() => expectClose(product.subarray(1), reference, { out: 'f32' })).toThrow(
      '18199 elements instead of the 18200',
    )
  })

  it('leaves out no product of a long K', () => {
    const long = 7168
    const ones = (seed: number): Operand => ({
      ...operand(seed, 4, long, alike),
      codes: new Uint8Array(4 * long).fill(56),
    })
    const [x, y] = [ones(1), ones(2)]
    const full = referenceGemm({ a: x, b: y })
    expectClose(f32Product(x, y), full, { out: 'f32' })
    const lacking = { ...x, codes: x.codes.slice().fill(0, 5000, 5001) }
    expect(() => expectClose(f32Product(lacking, y), full, { out: 'f32' })).toThrow('4 of 16')
  })

  it('applies the scales of the right block of K', () => {
    const shifted: Operand = { ...a, scale: (row, block) => a.scale(row, (block + 1) % 3) }
    expect(() => expectClose(f32Product(shifted, b), reference, { out: 'f32' })).toThrow(
      /global error/,
    )
  })

  it('is rounded to the nearest bf16, not truncated', () => {
    const words = new Uint32Array(product.slice().buffer).map((word) => word & 0xffff0000)
    expect(() => expectClose(new Float32Array(words.buffer), reference, { out: 'bf16' })).toThrow(
      'out of bounds',
    )
  })

  it('is not f32 where bf16 was asked for', () => {
    expect(() => expectClose(product, reference, { out: 'bf16' })).toThrow('out of bounds')
  })
})

describe('special values', () => {
  const one = (value: number, bound = 0): Reference => ({
    rows: 1,
    cols: 1,
    values: Float64Array.of(value),
    bounds: Float64Array.of(bound),
  })
  const accepts = (actual: number, expected: Reference): void =>
    expectClose([actual], expected, { out: 'bf16' })

  it('must be NaN exactly where NaN is expected', () => {
    accepts(Number.NaN, one(Number.NaN))
    expect(() => accepts(0, one(Number.NaN))).toThrow('expected NaN')
  })

  it('must be the expected infinity', () => {
    accepts(Number.POSITIVE_INFINITY, one(Number.POSITIVE_INFINITY))
    expect(() => accepts(Number.NEGATIVE_INFINITY, one(Number.POSITIVE_INFINITY))).toThrow()
  })

  it('overflow to infinity only beyond the largest number', () => {
    accepts(Number.POSITIVE_INFINITY, one(2 ** 128))
    accepts(Number.POSITIVE_INFINITY, one(2 ** 130))
    expect(() => accepts(Number.POSITIVE_INFINITY, one(3e38))).toThrow()
    expect(() => accepts(3e38, one(2 ** 130))).toThrow()
  })

  it('must be exact where the bound is zero', () => {
    accepts(-0, one(0))
    expectClose([0], one(0), { out: 'f32' })
    expect(() => expectClose([1e-45], one(0), { out: 'f32' })).toThrow()
  })
})

describe('an output that held poison', () => {
  const poisoned = (): Uint8Array => poisonBytes('f32', M * N)

  it('is right when every element was written', () => {
    expectOutput(bytesOf(product), reference, { out: 'f32' })
  })

  it('is refused when an element was left out', () => {
    const bytes = bytesOf(product.slice())
    bytes.set(poisoned().subarray(0, 4), 4 * (2 * N + 1))
    expect(() => expectOutput(bytes, reference, { out: 'f32' })).toThrow(
      'row 2, column 1 was never written',
    )
  })

  it('keeps its poison in rows that must stay untouched', () => {
    const written = new Uint8Array(M).fill(1, 0, 100)
    const bytes = poisoned()
    bytes.set(bytesOf(product).subarray(0, 4 * 100 * N))
    expectOutput(bytes, { ...reference, written }, { out: 'f32' })
    expect(() => expectOutput(bytes, reference, { out: 'f32' })).toThrow(
      'row 100, column 0 (and 4199 more)',
    )
    bytes.fill(0, 4 * 129 * N, 4 * 129 * N + 4)
    expect(() => expectOutput(bytes, { ...reference, written }, { out: 'f32' })).toThrow(
      'row 129, column 0 was written but must be left untouched',
    )
  })

  it('reports only rows that count', () => {
    const written = new Uint8Array(M).fill(1, 1)
    const damaged = product.slice().fill(Number.NaN, 0, N)
    expectClose(damaged, { ...reference, written }, { out: 'f32' })
    damaged[N] = 0
    expect(() => expectClose(damaged, { ...reference, written }, { out: 'f32' })).toThrow(
      /1 of 18200[\s\S]*worst row: 1,/,
    )
  })

  it('reads bf16 outputs as numbers', () => {
    expect([...outputNumbers(Uint8Array.of(0x80, 0x3f, 0x00, 0xc0), 'bf16')]).toEqual([1, -2])
  })
})
