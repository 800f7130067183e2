import { bf16, decodeTable, E4M3_MAX, e4m3, e5m2, f16, ue8m0 } from '@deepgemm/core'
import { describe, expect, it } from 'vitest'
import { DEFINITIONS, definedValue } from './support/definition.js'

const CODECS = { e4m3, e5m2, f16, bf16 }
const NAMES = ['e4m3', 'e5m2', 'f16', 'bf16'] as const

/** Codes whose value differs from the definition, signs of zeros included. */
function wrongCodes(values: (code: number) => number, name: (typeof NAMES)[number]): number[] {
  const format = DEFINITIONS[name]
  const count = 2 ** (1 + format.exponentBits + format.mantissaBits)
  return Array.from({ length: count }, (_, code) => code).filter(
    (code) => !Object.is(values(code), definedValue(code, format)),
  )
}

describe.each(NAMES)('%s', (name) => {
  it('decodes every code to the value that the format defines', () => {
    expect(wrongCodes(CODECS[name].decode, name)).toEqual([])
  })

  it('has all its values in its table', () => {
    const table = decodeTable(name)
    expect(wrongCodes((code) => table[code] as number, name)).toEqual([])
    expect(decodeTable(name)).toBe(table)
  })

  it('tells its largest finite value', () => {
    const finite = decodeTable(name).filter((value) => Number.isFinite(value))
    expect(CODECS[name].max).toBe(Math.max(...finite.slice(0, finite.length / 2)))
  })
})

describe('formats', () => {
  it('have the landmarks of their standards', () => {
    expect([e4m3.max, E4M3_MAX, e5m2.max, f16.max]).toEqual([448, 448, 57344, 65504])
    expect(bf16.max).toBe(3.3895313892515355e38)
    expect([e4m3.decode(1), e5m2.decode(1)]).toEqual([2 ** -9, 2 ** -16])
    expect([f16.decode(1), bf16.decode(1)]).toEqual([2 ** -24, 2 ** -133])
    expect([e4m3.decode(0x38), e5m2.decode(0x3c)]).toEqual([1, 1])
    expect([f16.decode(0x3c00), bf16.decode(0x3f80)]).toEqual([1, 1])
  })

  it('know e4m3 without infinities and two codes of NaN', () => {
    const codes = Array.from({ length: 256 }, (_, code) => code)
    expect(codes.filter((code) => Number.isNaN(e4m3.decode(code)))).toEqual([0x7f, 0xff])
    expect(codes.some((code) => Math.abs(e4m3.decode(code)) === Number.POSITIVE_INFINITY)).toBe(
      false,
    )
  })
})

describe('ue8m0', () => {
  it('decodes every code to a power of two, 0xff to NaN', () => {
    let value = 2 ** -127
    for (let code = 0; code < 255; code++, value *= 2) {
      expect(ue8m0.decode(code)).toBe(value)
      expect(decodeTable('ue8m0')[code]).toBe(value)
    }
    expect(ue8m0.decode(255)).toBeNaN()
    expect(decodeTable('ue8m0')[255]).toBeNaN()
    expect(ue8m0.max).toBe(2 ** 127)
  })
})
