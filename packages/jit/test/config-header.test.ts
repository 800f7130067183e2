import { configHeader, type KernelConfig } from '@deepgemm/jit'
import { describe, expect, it } from 'vitest'

describe('the header of a config', () => {
  it('is a struct of constants, sorted by name', () => {
    const config = {
      kNumStages: 6,
      BLOCK_M: 128,
      multicast: true,
      layout: 'GroupLayout::kPacked',
      scaleFloor: 0.5,
      limit: 2 ** 40,
      zero: -0,
      least: -7,
    }
    expect(configHeader('GemmConfig', config)).toMatchInlineSnapshot(`
      "#pragma once

      namespace deepgemm {

      struct GemmConfig {
        static constexpr int BLOCK_M = 128;
        static constexpr int kNumStages = 6;
        static constexpr auto layout = GroupLayout::kPacked;
        static constexpr int least = -7;
        static constexpr long long limit = 1099511627776LL;
        static constexpr bool multicast = true;
        static constexpr float scaleFloor = 0.5f;
        static constexpr int zero = 0;
      };

      }  // namespace deepgemm
      "
    `)
  })

  it('of an empty config is an empty struct', () => {
    expect(configHeader('Empty', {})).toMatchInlineSnapshot(`
      "#pragma once

      namespace deepgemm {

      struct Empty {
      };

      }  // namespace deepgemm
      "
    `)
  })

  it('does not depend on the order of the members', () => {
    expect(configHeader('C', { b: 1, a: 2 })).toBe(configHeader('C', { a: 2, b: 1 }))
  })

  it.each<[string, KernelConfig]>([
    ['a member that is a keyword', { int: 1 }],
    ['a member with a reserved name', { __cuda: 1 }],
    ['a member that is no identifier', { 'a; int b': 1 }],
    ['an integer that is not exact', { big: 2 ** 60 }],
    ['NaN', { x: Number.NaN }],
    ['a fraction that float would round', { x: 0.1 }],
    ['a string that is no name', { x: '1; } struct Evil {' }],
    ['a name that ends in a keyword', { x: 'Layout::class' }],
    ['null', { x: null as unknown as number }],
  ])('refuses %s', (_, config) => {
    expect(() => configHeader('C', config)).toThrow(/C\+\+/)
  })

  it('refuses a struct name that is no identifier', () => {
    expect(() => configHeader('1st', {})).toThrow(/not a C\+\+ identifier: given "1st"/)
  })

  it('refuses a config with more members than choices make sense', () => {
    const config = Object.fromEntries(Array.from({ length: 257 }, (_, index) => [`m${index}`, 1]))
    expect(() => configHeader('C', config)).toThrow(/too many members: given 257/)
  })
})
