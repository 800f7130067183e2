import {
  bf16Preimage,
  ceilUe8m0,
  E4M3_VALUES,
  isBf16,
  nearestE4m3,
  UE8M0_VALUES,
} from '@deepgemm/testing'
import { describe, expect, it } from 'vitest'

describe('formats of the oracle', () => {
  it('knows the landmarks of e4m3', () => {
    const landmarks: Record<number, number> = {
      0: 0,
      1: 2 ** -9,
      7: 7 * 2 ** -9,
      8: 2 ** -6,
      56: 1,
      57: 1.125,
      126: 448,
      129: -(2 ** -9),
      254: -448,
    }
    for (const [code, value] of Object.entries(landmarks)) {
      expect(E4M3_VALUES[Number(code)]).toBe(value)
    }
    expect(E4M3_VALUES[128]).toBe(-0)
    expect([E4M3_VALUES[127], E4M3_VALUES[255]]).toEqual([Number.NaN, Number.NaN])
  })

  it('knows the landmarks of ue8m0', () => {
    expect(UE8M0_VALUES[0]).toBe(2 ** -127)
    expect(UE8M0_VALUES[127]).toBe(1)
    expect(UE8M0_VALUES[254]).toBe(2 ** 127)
    expect(UE8M0_VALUES[255]).toBe(Number.NaN)
  })

  it('finds the nearest e4m3 code, the even one of a tie', () => {
    expect(nearestE4m3(1.0625)).toBe(56)
    expect(nearestE4m3(1.0625 + 2 ** -40)).toBe(57)
    expect(nearestE4m3(1.1875)).toBe(58)
    expect(nearestE4m3(2 ** -10)).toBe(0)
    expect(nearestE4m3(-3 * 2 ** -10)).toBe(130)
    expect(nearestE4m3(1e30)).toBe(126)
    expect(nearestE4m3(Number.NEGATIVE_INFINITY)).toBe(254)
    expect(nearestE4m3(-0)).toBe(128)
    expect(nearestE4m3(Number.NaN)).toBe(127)
  })

  it('rounds scales up to a power of two', () => {
    expect(ceilUe8m0(1)).toBe(127)
    expect(ceilUe8m0(1 + 2 ** -23)).toBe(128)
    expect(ceilUe8m0(1e-45)).toBe(0)
    expect(ceilUe8m0(3e38)).toBe(254)
  })

  it('knows which reals round to a bf16', () => {
    expect(bf16Preimage(1)).toEqual({ low: 1 - 2 ** -9, high: 1 + 2 ** -8 })
    expect(bf16Preimage(-1.5)).toEqual({ low: -1.5 - 2 ** -8, high: -1.5 + 2 ** -8 })
    expect(bf16Preimage(0)).toEqual({ low: -(2 ** -134), high: 2 ** -134 })
    expect(bf16Preimage(Number.POSITIVE_INFINITY)).toEqual({
      low: 2 ** 128 - 2 ** 119,
      high: Number.POSITIVE_INFINITY,
    })
  })

  it('tells bf16 numbers from others', () => {
    expect([1, -0.0078125, 0, Number.POSITIVE_INFINITY, Number.NaN].every(isBf16)).toBe(true)
    expect([1 + 2 ** -8, 1e-3].some(isBf16)).toBe(false)
  })
})
