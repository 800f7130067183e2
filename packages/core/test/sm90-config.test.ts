import { OptionError, ShapeError } from '@deepgemm/core'
import {
  isLegalSm90Config,
  requireSm90Config,
  requireSm90Extents,
  SM90_ARGUMENTS,
  SM90_FAMILIES,
  SM90_SHARED_BYTES,
  type Sm90Config,
  sm90Candidates,
  sm90ConfigName,
  sm90KernelMembers,
  sm90SharedBytes,
  sm90TensorMaps,
  sm90Threads,
} from '@deepgemm/core/sm90'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expectRefusal } from './support/refusal.js'

const plain: Sm90Config = {
  target: 'sm_90a',
  blockLeft: 128,
  blockRight: 128,
  rowBlocks: 1,
  columnSplits: 1,
  accumulators: 1,
  unroll: 1,
  stages: 4,
  multicast: 'none',
  swapped: false,
  leftScaling: 'vectors',
  rightScaling: 'blocks',
  out: 'bf16',
  accumulate: false,
  blocksPerSm: 1,
}
const tokens: Sm90Config = {
  ...plain,
  ...{ swapped: true, leftScaling: 'blocks', rightScaling: 'vectors' },
  ...{ blockLeft: 64, blockRight: 8, stages: 8 },
}

describe('shared memory of a Hopper config', () => {
  // Sizes that the kernel's static_assert accepted when nvcc compiled these configs.
  it.each([
    ['128 x 128, four stages', plain, 166_912],
    ['128 x 112, five stages', { ...plain, blockRight: 112, stages: 5 }, 186_368],
    ['256 x 128, three stages', { ...plain, blockLeft: 256, rowBlocks: 2, stages: 3 }, 217_088],
    [
      'f32 output, staged in twice the bytes',
      { ...plain, rightScaling: 'vectors', out: 'f32', stages: 4 },
      201_728,
    ],
    ['sixteen tokens', { ...tokens, blockRight: 16, stages: 6 }, 65_536],
  ] as const)('is right for %s', (_, config, bytes) => {
    expect(sm90SharedBytes(config as Sm90Config)).toBe(bytes)
  })
})

describe('legality of Hopper configs', () => {
  it('holds for every candidate of every family', () => {
    for (const family of SM90_FAMILIES) {
      const configs = sm90Candidates(family)
      expect(configs.length).toBeGreaterThan(10)
      for (const config of configs) {
        requireSm90Config(config)
        expect(sm90SharedBytes(config)).toBeLessThanOrEqual(SM90_SHARED_BYTES.block)
        expect(sm90Threads(config)).toBeLessThanOrEqual(512)
      }
    }
  })

  it.each<[string, Partial<Sm90Config>, string, string]>([
    ['four math warp groups', { blockLeft: 256 }, 'blockLeft 256', 'three math warp groups'],
    [
      'a width that is no multiple of 16',
      { blockRight: 120 },
      'blockRight 120',
      'a multiple of 16',
    ],
    ['too wide a tile', { blockRight: 272 }, 'blockRight 272', 'up to 256'],
    ['chunks of an odd width', { blockRight: 112, columnSplits: 2 }, 'columnSplits 2', 'chunks'],
    ['a loop over more than the ring', { unroll: 9 }, 'unroll 9', 'as many as stages'],
    [
      'swapped operands without block scales on the left',
      { swapped: true },
      'vectors × blocks, swapped',
      'swapped blocks × vectors',
    ],
    [
      'more registers than there are',
      { blockRight: 256 },
      '256 accumulator registers',
      'registers to work with',
    ],
    [
      'more shared memory than there is',
      { stages: 7 },
      'bytes of shared memory',
      'fits a multiprocessor',
    ],
    ['no pipeline at all', { stages: 1 }, '1 stages', '2 to 32 stages'],
  ])('refuses %s', (_, change, given, allowed) => {
    const config = { ...plain, ...change }
    expect(isLegalSm90Config(config)).toBe(false)
    expectRefusal(() => requireSm90Config(config), OptionError, { given, allowed })
  })
})

describe('what a Hopper kernel is told', () => {
  it('has a short name that tells what is out of the ordinary', () => {
    expect(sm90ConfigName(plain)).toBe('128x128/s4/bf16')
    expect(sm90ConfigName({ ...plain, accumulators: 2, unroll: 4 })).toBe(
      '128x128/s4/alternating4/bf16',
    )
  })

  it('spells a config as members of the kernel’s struct', () => {
    expect(sm90KernelMembers(plain, 166_912)).toMatchInlineSnapshot(`
      {
        "kAccumulate": false,
        "kAccumulators": 1,
        "kBlockLeft": 128,
        "kBlockRight": 128,
        "kBlocksPerSm": 1,
        "kColumnSplits": 1,
        "kLeftScaling": "Scaling::kVectors",
        "kMulticast": "Multicast::kNone",
        "kOut": "Output::kBf16",
        "kRightScaling": "Scaling::kBlocks",
        "kRowBlocks": 1,
        "kSharedBytes": 166912,
        "kStages": 4,
        "kSwapped": false,
        "kUnroll": 1,
      }
    `)
  })

  it('maps weights on the left and tokens on the right when swapped', () => {
    expect(sm90TensorMaps(tokens, { m: 5, n: 2112, k: 1040 })).toEqual({
      left: { dtype: 'u8', extents: [1040, 2112], rowBytes: 1040, box: [128, 64], swizzle: 128 },
      right: { dtype: 'u8', extents: [1040, 5], rowBytes: 1040, box: [128, 8], swizzle: 128 },
      leftScales: undefined,
      rightScales: { dtype: 'f32', extents: [8, 9], rowBytes: 32, box: [8, 1], swizzle: 0 },
      out: { dtype: 'bf16', extents: [2112, 5], rowBytes: 4224, box: [64, 8], swizzle: 128 },
    })
  })

  it('halves the boxes of the operand that a cluster shares', () => {
    const maps = sm90TensorMaps({ ...plain, multicast: 'right' }, { m: 300, n: 512, k: 256 })
    expect(maps.left.box).toEqual([128, 128])
    expect(maps.right.box).toEqual([128, 64])
  })

  it('describes boxes that the copy engine takes, for every candidate and shape', () => {
    const extent = fc.integer({ min: 1, max: 5000 })
    fc.assert(
      fc.property(extent, extent, extent, fc.nat(), (m, n8, k16, pick) => {
        const family = SM90_FAMILIES[pick % SM90_FAMILIES.length]
        const configs = family === undefined ? [] : sm90Candidates(family)
        const config = configs[pick % configs.length] as Sm90Config
        const maps = sm90TensorMaps(config, { m, n: 8 * n8, k: 16 * k16 })
        for (const map of Object.values(maps)) {
          if (map === undefined) continue
          const element = { u8: 1, f32: 4, bf16: 2 }[map.dtype as 'u8' | 'f32' | 'bf16']
          expect(map.rowBytes % 16).toBe(0)
          expect((map.box[0] * element) % 16).toBe(0)
          expect(Math.max(...map.box)).toBeLessThanOrEqual(256)
          if (map.swizzle > 0) expect(map.box[0] * element).toBe(map.swizzle)
        }
      }),
    )
  })

  it('packs arguments without gaps between the members', () => {
    const { bytes, ...offsets } = SM90_ARGUMENTS
    const places = Object.values(offsets)
    expect([...places].sort((a, b) => a - b)).toEqual(places)
    expect(bytes % 64).toBe(0)
    expect(bytes).toBeGreaterThanOrEqual(SM90_ARGUMENTS.weightsReady + 4)
  })

  it.each([
    [{ m: 1, n: 12, k: 16 }],
    [{ m: 1, n: 8, k: 24 }],
    [{ m: 1, n: 0, k: 16 }],
    [{ m: 2 ** 31, n: 8, k: 16 }],
  ])('refuses the extents %j', (extents) => {
    expectRefusal(() => requireSm90Extents(extents), ShapeError, {
      given: `N ${extents.n}`,
      allowed: 'N a multiple of 8',
    })
  })
})
