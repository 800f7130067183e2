import { DTYPES, DTypeError, dtypeBytes, isDType, requireDType } from '@deepgemm/core'
import { describe, expect, it } from 'vitest'
import { expectRefusal } from './support/refusal.js'

describe('dtypes', () => {
  it('have the width of their format', () => {
    expect(Object.fromEntries(DTYPES.map((dtype) => [dtype, dtypeBytes(dtype)]))).toEqual({
      e4m3: 1,
      e5m2: 1,
      ue8m0: 1,
      bf16: 2,
      f16: 2,
      f32: 4,
      f64: 8,
      bool: 1,
      u8: 1,
      i8: 1,
      u16: 2,
      i16: 2,
      u32: 4,
      i32: 4,
      u64: 8,
      i64: 8,
    })
  })

  it('are known by name, and nothing else is', () => {
    expect(DTYPES.every(isDType)).toBe(true)
    expect(['f8', 'F32', '', 'toString', 32, null, undefined].some(isDType)).toBe(false)
  })

  it('must be among the allowed ones', () => {
    expect(requireDType('X', 'f32', ['f32', 'bf16'])).toBe('f32')
    expectRefusal(() => requireDType('X', 'i32', ['f32', 'bf16']), DTypeError, {
      given: 'i32',
      allowed: 'f32, bf16',
    })
  })
})
