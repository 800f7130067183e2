import {
  expectAllWritten,
  expectUntouched,
  globalError,
  poisonBytes,
  rowErrors,
  tileErrors,
  worst,
} from '@deepgemm/testing'
import { describe, expect, it } from 'vitest'

describe('global error', () => {
  it('is 0 for equal, 1 for unrelated and 2 for opposite matrices', () => {
    expect(globalError([1, 2], [1, 2])).toBe(0)
    expect(globalError([1, 0], [0, 1])).toBe(1)
    expect(globalError([1, 2], [-1, -2])).toBe(2)
    expect(globalError([0], [0])).toBe(0)
  })

  it('is NaN when an element is', () => {
    expect(globalError([Number.NaN], [1])).toBeNaN()
  })

  it('compares matrices of one size', () => {
    expect(() => globalError([1], [1, 2])).toThrow('1 and 2 elements')
  })
})

describe('errors of parts', () => {
  const size = { rows: 3, cols: 2 }
  const expected = [1, 2, 0, 0, -4, 8]

  it('are relative to the largest expected magnitude of the row', () => {
    const errors = rowErrors([1, 2.5, 0, 0, -4, 7], expected, size)
    expect(errors.map(({ error }) => error)).toEqual([0.25, 0, 0.125])
    expect(worst(errors)).toEqual({ row: 0, col: 0, error: 0.25 })
  })

  it('are infinite where zeros or numbers became something else', () => {
    const errors = rowErrors([Number.NaN, 2, 1, 0, -4, 8], expected, size)
    expect(errors.map(({ error }) => error)).toEqual([
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
      0,
    ])
  })

  it('are found in tiles that end in tails', () => {
    const errors = tileErrors([1, 2, 0, 0, -4, 4], expected, size, [2, 1])
    expect(errors).toEqual([
      { row: 0, col: 0, error: 0 },
      { row: 0, col: 1, error: 0 },
      { row: 2, col: 0, error: 0 },
      { row: 2, col: 1, error: 0.5 },
    ])
  })

  it('show a zeroed corner that the global error hides', () => {
    const side = 1024
    const right = new Float64Array(side * side).fill(1)
    const wrong = right.slice()
    wrong[right.length - 1] = 0
    expect(globalError(wrong, right)).toBeLessThan(1e-6)
    expect(worst(tileErrors(wrong, right, { rows: side, cols: side }))).toEqual({
      row: 896,
      col: 896,
      error: 1,
    })
  })

  it('do not exist in an empty matrix', () => {
    expect(worst(rowErrors([], [], { rows: 0, cols: 4 }))).toBeUndefined()
    expect(() => rowErrors([1], [], { rows: 1, cols: 1 })).toThrow('1 and 0 elements for [1, 1]')
  })
})

describe('poison', () => {
  it.each(['f32', 'bf16'] as const)('is a NaN in %s', (dtype) => {
    const bytes = poisonBytes(dtype, 2)
    const word = dtype === 'f32' ? bytes : Uint8Array.of(0, 0, ...bytes.subarray(0, 2))
    expect(new DataView(word.buffer).getFloat32(0, true)).toBeNaN()
    expect(bytes.length).toBe(dtype === 'f32' ? 8 : 4)
  })

  it.each(['f32', 'bf16'] as const)('in %s shows what was written and what was not', (dtype) => {
    const width = dtype === 'f32' ? 4 : 2
    const bytes = poisonBytes(dtype, 6)
    const all = { dtype, cols: 3 }
    expectUntouched(bytes, all)
    expect(() => expectAllWritten(bytes, all)).toThrow(
      'row 0, column 0 (and 5 more) was never written',
    )
    bytes.fill(0, 0, 3 * width)
    expectAllWritten(bytes, { ...all, rows: (row) => row === 0 })
    expectUntouched(bytes, { ...all, rows: (row) => row === 1 })
    expect(() => expectUntouched(bytes, all)).toThrow(
      'row 0, column 0 (and 2 more) was written but',
    )
  })

  it('tells other NaNs from its own', () => {
    const bytes = poisonBytes('f32', 1)
    new Float32Array(bytes.buffer)[0] = Number.NaN
    expectAllWritten(bytes, { dtype: 'f32', cols: 1 })
  })
})
