import { bf16, e4m3, e5m2, type FloatCodec, f16, ue8m0 } from '@deepgemm/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFINITIONS, finiteMagnitudes, neighbour } from './support/definition.js'

const CODECS = { e4m3, e5m2, f16, bf16 }
const NAMES = ['e4m3', 'e5m2', 'f16', 'bf16'] as const

/** Encodes ±value and lists what differs from the expected code, sign bit aside. */
class Differences {
  readonly found: string[] = []
  readonly codec: FloatCodec
  readonly sign: number

  constructor(name: (typeof NAMES)[number]) {
    this.codec = CODECS[name]
    const { exponentBits, mantissaBits } = DEFINITIONS[name]
    this.sign = 2 ** (exponentBits + mantissaBits)
  }

  expect(value: number, code: number): void {
    const got = [this.codec.encode(value), this.codec.encode(-value)]
    if (got[0] === code && got[1] === code + this.sign) return
    this.found.push(`±${value}: ${got.join(' and ')} instead of ${code} with and without sign`)
  }
}

describe.each(NAMES)('%s', (name) => {
  const magnitudes = finiteMagnitudes(DEFINITIONS[name])

  it('encodes every value to its own code', () => {
    const differences = new Differences(name)
    magnitudes.forEach((value, code) => {
      differences.expect(value, code)
    })
    expect(differences.found).toEqual([])
  })

  it('encodes the float64 neighbours of every value to its code', () => {
    const differences = new Differences(name)
    magnitudes.forEach((value, code) => {
      if (code === 0) return
      differences.expect(neighbour(value, -1), code)
      differences.expect(neighbour(value, 1), code)
    })
    expect(differences.found).toEqual([])
  })

  it('rounds every tie to the even code, and its neighbours to the nearer one', () => {
    const differences = new Differences(name)
    for (let code = 0; code + 1 < magnitudes.length; code++) {
      const tie = ((magnitudes[code] as number) + (magnitudes[code + 1] as number)) / 2
      differences.expect(tie, code % 2 === 0 ? code : code + 1)
      differences.expect(neighbour(tie, -1), code)
      differences.expect(neighbour(tie, 1), code + 1)
    }
    expect(differences.found).toEqual([])
  })

  it('keeps the sign of zero and of what rounds to it', () => {
    const differences = new Differences(name)
    // The last one is float64's smallest subnormal.
    for (const value of [0, 2 ** -200, 2 ** -1022, 2 ** -1030, 5e-324]) differences.expect(value, 0)
    expect(differences.found).toEqual([])
  })

  it('encodes NaN to a NaN', () => {
    expect(CODECS[name].decode(CODECS[name].encode(Number.NaN))).toBeNaN()
  })

  it('never reverses an order', () => {
    const codec = CODECS[name]
    fc.assert(
      fc.property(fc.double({ noNaN: true }), fc.double({ noNaN: true }), (x, y) => {
        const [low, high] = x < y ? [x, y] : [y, x]
        expect(codec.decode(codec.encode(low))).toBeLessThanOrEqual(
          codec.decode(codec.encode(high)),
        )
      }),
      { numRuns: 500 },
    )
  })
})

describe('values beyond the range', () => {
  it.each([
    ['e4m3', e4m3, 0x7e, 448],
    ['e5m2', e5m2, 0x7b, 57344],
  ] as const)('saturate in %s', (_, codec, code, max) => {
    const beyond = [
      neighbour(max, 1),
      max * 1.04,
      max * 1.1,
      2 * max,
      1e300,
      Number.POSITIVE_INFINITY,
    ]
    for (const value of beyond) {
      expect(codec.encode(value)).toBe(code)
      expect(codec.encode(-value)).toBe(code + 0x80)
    }
  })

  it.each([
    ['f16', f16, 0x7bff, 65520],
    ['bf16', bf16, 0x7f7f, 2 ** 128 - 2 ** 119],
  ] as const)('become infinite in %s from the tie on', (_, codec, code, tie) => {
    expect(codec.encode(neighbour(tie, -1))).toBe(code)
    for (const value of [tie, 1.5 * tie, 1e300, Number.POSITIVE_INFINITY]) {
      expect(codec.encode(value)).toBe(code + 1)
      expect(codec.encode(-value)).toBe(code + 1 + 0x8000)
    }
  })
})

describe('bf16', () => {
  it('agrees with integer rounding of the upper half of an f32', () => {
    const [word, single] = [new Uint32Array(1), new Float32Array(1)]
    const view = new Float32Array(word.buffer)
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (bits) => {
        word[0] = bits
        single[0] = view[0] as number
        fc.pre(!Number.isNaN(single[0]))
        const rounded = (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16
        expect(bf16.encode(single[0] as number)).toBe(rounded & 0xffff)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('ue8m0', () => {
  it('encodes powers of two exactly and everything else up', () => {
    for (let code = 0; code < 254; code++) {
      const power = 2 ** (code - 127)
      expect(ue8m0.encode(power)).toBe(code)
      expect(ue8m0.encode(neighbour(power, 1))).toBe(code + 1)
      expect(ue8m0.encode(neighbour(power, -1))).toBe(code)
    }
  })

  it('ends at 2^-127 and 2^127', () => {
    for (const value of [0, -0, 5e-324, 2 ** -1022, 2 ** -128]) expect(ue8m0.encode(value)).toBe(0)
    for (const value of [2 ** 127, neighbour(2 ** 127, 1), 1e300, Number.POSITIVE_INFINITY]) {
      expect(ue8m0.encode(value)).toBe(254)
    }
  })

  it('has no negative numbers', () => {
    for (const value of [Number.NaN, -1, -5e-324, Number.NEGATIVE_INFINITY]) {
      expect(ue8m0.encode(value)).toBe(255)
    }
  })
})
