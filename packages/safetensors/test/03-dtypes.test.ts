import { DTYPES, dtypeBytes } from '@deepgemm/core'
import { expect, test } from 'vitest'
import {
  coreDType,
  isSafetensorsDType,
  SAFETENSORS_DTYPES,
  safetensorsDType,
  safetensorsDTypeBytes,
  tensorByteLength,
} from '../src/index.js'

test('every dtype of the library has a name in files, and comes back from it', () => {
  for (const dtype of DTYPES) {
    expect(coreDType(safetensorsDType(dtype))).toBe(dtype)
    expect(safetensorsDTypeBytes(safetensorsDType(dtype))).toBe(dtypeBytes(dtype))
  }
})

test('only complex numbers and the FNUZ floats have no dtype in the library', () => {
  const without = SAFETENSORS_DTYPES.filter((dtype) => coreDType(dtype) === undefined)
  expect(without).toEqual(['F8_E4M3FNUZ', 'F8_E5M2FNUZ', 'C64'])
})

test('names of files are told from other text', () => {
  expect(SAFETENSORS_DTYPES.every(isSafetensorsDType)).toBe(true)
  for (const other of ['f32', 'F4', 'toString', '', 4, null]) {
    expect(isSafetensorsDType(other)).toBe(false)
  }
})

test('a size that a double cannot count is no size', () => {
  expect(tensorByteLength('F32', [])).toBe(4)
  expect(tensorByteLength('F64', [2 ** 49])).toBe(2 ** 52)
  expect(tensorByteLength('F64', [2 ** 50])).toBeUndefined()
})
