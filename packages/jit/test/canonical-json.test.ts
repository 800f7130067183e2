import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CanonicalValue, canonicalJson, readableCanonicalJson } from '../src/canonical-json.js'

const values = fc.jsonValue({ maxDepth: 4, noUnicodeString: false }) as fc.Arbitrary<CanonicalValue>

describe('canonical JSON', () => {
  it('sorts members by code unit and writes no white space', () => {
    expect(canonicalJson({ b: [1, true, null], a: { d: 'x', c: -0 }, 10: 1, 2: 2 })).toBe(
      '{"10":1,"2":2,"a":{"c":0,"d":"x"},"b":[1,true,null]}',
    )
  })

  it('reads back as the value it was written from', () => {
    fc.assert(
      fc.property(values, (value) => {
        const plain: unknown = JSON.parse(JSON.stringify(value))
        expect(JSON.parse(canonicalJson(value))).toEqual(plain)
        expect(JSON.parse(readableCanonicalJson(value))).toEqual(plain)
      }),
    )
  })

  it('does not depend on the order in which members were added', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), values), (record) => {
        const reversed = Object.fromEntries(Object.entries(record).reverse())
        expect(canonicalJson(reversed)).toBe(canonicalJson(record))
      }),
    )
  })

  it('is the compact form of the readable one', () => {
    fc.assert(
      fc.property(values, (value) => {
        const readable = JSON.parse(readableCanonicalJson(value)) as CanonicalValue
        expect(canonicalJson(readable)).toBe(canonicalJson(value))
      }),
    )
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'refuses %s, which JSON cannot spell',
    (number) => {
      expect(() => canonicalJson({ number })).toThrow(/finite numbers/)
    },
  )

  it('refuses what is no JSON value', () => {
    expect(() => canonicalJson({ a: undefined } as unknown as CanonicalValue)).toThrow(/undefined/)
    expect(() => canonicalJson([10n] as unknown as CanonicalValue)).toThrow(/bigint/)
  })
})
