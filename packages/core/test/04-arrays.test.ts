import {
  type DType,
  DTypeError,
  decodeArray,
  decodeTable,
  dtypeBytes,
  e4m3,
  encodeArray,
  ShapeError,
} from '@deepgemm/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expectRefusal } from './support/refusal.js'

const SMALL_FLOATS = ['e4m3', 'e5m2', 'f16', 'bf16'] as const
const INTEGERS = ['u8', 'i8', 'u16', 'i16', 'u32', 'i32'] as const

describe('arrays of small floats', () => {
  it.each([...SMALL_FLOATS, 'ue8m0'] as const)('in %s keep every code', (dtype) => {
    const table = decodeTable(dtype)
    const numbers = table.filter((value) => !Number.isNaN(value))
    const codes = encodeArray(dtype, numbers)
    expect(codes.byteLength).toBe(numbers.length * dtypeBytes(dtype))
    // e5m2 infinities saturate when encoded.
    const finite =
      dtype === 'e5m2' ? numbers.map((x) => Math.sign(x) * Math.min(Math.abs(x), 57344)) : numbers
    expect(decodeArray(dtype, codes)).toEqual(finite)
  })

  it('are little-endian', () => {
    expect([...encodeArray('bf16', [1, -2])]).toEqual([0x80, 0x3f, 0x00, 0xc0])
    expect([...encodeArray('f16', [1.5])]).toEqual([0x00, 0x3e])
  })

  it('encode each element as the scalar codec does', () => {
    fc.assert(
      fc.property(fc.array(fc.double()), (values) => {
        expect([...encodeArray('e4m3', values)]).toEqual(values.map((value) => e4m3.encode(value)))
      }),
    )
  })
})

describe('arrays of native dtypes', () => {
  it('round to f32, keep f64, and decode to f32', () => {
    expect([...decodeArray('f32', encodeArray('f32', [0.1, -0, Number.NaN]))]).toEqual([
      Math.fround(0.1),
      -0,
      Number.NaN,
    ])
    expect([...new Float64Array(encodeArray('f64', [0.1]).buffer)]).toEqual([0.1])
    expect([...decodeArray('f64', encodeArray('f64', [0.1]))]).toEqual([Math.fround(0.1)])
  })

  it.each(INTEGERS)('hold all of %s', (dtype) => {
    const bits = 8 * dtypeBytes(dtype)
    const unsigned = dtype.startsWith('u')
    const max = 2 ** (unsigned ? bits : bits - 1) - 1
    const min = unsigned ? 0 : -max - 1
    const values = [min, 0, 1, 100, max]
    expect([...decodeArray(dtype, encodeArray(dtype, values))]).toEqual(values.map(Math.fround))
    for (const value of [min - 1, max + 1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expectRefusal(() => encodeArray(dtype, [value]), DTypeError, {
        given: String(value),
        allowed: `numbers from ${min} to ${max}`,
      })
    }
  })

  it('round numbers to the nearest integer, ties to even', () => {
    const values = [0.5, 1.5, 2.5, -0.5, -1.5, 2.4, 2.6]
    expect([...decodeArray('i8', encodeArray('i8', values))]).toEqual([0, 2, 2, 0, -2, 2, 3])
  })

  it('hold 0 and 1 as bool, and nothing else', () => {
    expect([...encodeArray('bool', [0, 1])]).toEqual([0, 1])
    for (const value of [2, 0.5, -1, Number.NaN]) {
      expectRefusal(() => encodeArray('bool', [value]), DTypeError, {
        given: String(value),
        allowed: 'exactly 0 or 1',
      })
    }
  })
})

describe('bytes', () => {
  it('may start anywhere in their buffer', () => {
    const bytes = encodeArray('f32', [1, 2, 3])
    const shifted = new Uint8Array(13)
    shifted.set(bytes, 1)
    expect([...decodeArray('f32', shifted.subarray(1))]).toEqual([1, 2, 3])
  })

  it('may be a Node Buffer, aligned or not', () => {
    const buffer = Buffer.alloc(17)
    for (const offset of [0, 1, 2, 3]) {
      buffer.set(encodeArray('f32', [4, 5]), offset)
      expect([...decodeArray('f32', buffer.subarray(offset, offset + 8))]).toEqual([4, 5])
      buffer.set(encodeArray('bf16', [6, 7]), offset)
      expect([...decodeArray('bf16', buffer.subarray(offset, offset + 4))]).toEqual([6, 7])
    }
  })

  it('must be whole elements', () => {
    expectRefusal(() => decodeArray('f32', new Uint8Array(7)), ShapeError, {
      given: '7 bytes',
      allowed: 'a multiple of 4',
    })
  })

  it('are copied, never aliased', () => {
    const bytes = encodeArray('f32', [1])
    const values = decodeArray('f32', bytes)
    bytes.fill(0)
    expect(values[0]).toBe(1)
  })

  it.each(['u64', 'i64'] as const)('of %s have no number codec', (dtype: DType) => {
    const detail = { given: dtype, allowed: 'at most 32 bits' }
    expectRefusal(() => encodeArray(dtype, [1]), DTypeError, detail)
    expectRefusal(() => decodeArray(dtype, new Uint8Array(8)), DTypeError, detail)
    expectRefusal(() => decodeTable(dtype), DTypeError, detail)
  })
})
