import { ShapeError } from '@deepgemm/core'
import {
  canStreamGroups,
  chooseGroupedConfig,
  type GroupedExtents,
  groupedConfigsFor,
  requireSm90Groups,
  SM90_GROUP_FAMILIES,
  type Sm90Config,
  type Sm90Family,
  sampleExpectations,
  sm90ConfigName,
  sm90GroupedCandidates,
  sm90GroupedCost,
  sm90GroupedMaps,
  sm90GroupedSchedule,
} from '@deepgemm/core/sm90'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const h100 = { multiprocessors: 132 }

type RowsLayout = 'contiguous' | 'packed' | 'masked'

const familyOf = (layout: Sm90Family['layout']): Sm90Family =>
  SM90_GROUP_FAMILIES.find((family) => family.layout === layout) as Sm90Family

function config(name: string): Sm90Config {
  const all = SM90_GROUP_FAMILIES.flatMap(sm90GroupedCandidates)
  const found = all.find((item) => sm90ConfigName(item) === name)
  if (found === undefined) throw new Error(`no candidate is called ${name}`)
  return found
}

describe('configs of grouped products', () => {
  it('have few tokens on the narrow side where groups may be small', () => {
    for (const family of SM90_GROUP_FAMILIES) {
      const isShort = family.layout === 'packed' || family.layout === 'masked'
      const configs = sm90GroupedCandidates(family)
      expect(configs.some(({ swapped }) => swapped)).toBe(isShort)
      for (const { layout } of configs) expect(layout).toBe(family.layout)
    }
  })

  it('name their layout first', () => {
    for (const item of SM90_GROUP_FAMILIES.flatMap(sm90GroupedCandidates)) {
      expect(sm90ConfigName(item).startsWith(`${item.layout}/`)).toBe(true)
    }
  })
})

describe('the schedule of a grouped product', () => {
  const extents = { groups: 8, m: 4096, n: 4096, k: 7168, expected: 512 }

  it('leaves the number of tiles to the GPU where sizes decide it', () => {
    const masked = sm90GroupedSchedule(config('masked/128x128/s5/bf16'), extents, 132, 'tail')
    expect(masked).toEqual({
      leftTiles: 0,
      rightTiles: 32,
      band: 16,
      workers: 132,
      grid: 132,
      streamedTiles: 1,
      partialBytes: 132 * 128 * 128 * 4,
      flagBytes: 132 * 2 * 4,
    })
  })

  it('counts the tiles of slices of K, which cannot be shared along it', () => {
    const tile = config('k-grouped/128x128/s4/alternating4/wgrad/f32')
    const schedule = sm90GroupedSchedule(tile, extents, 132, 'whole')
    expect([schedule.leftTiles, schedule.rightTiles, schedule.workers]).toEqual([32, 32, 132])
    expect(canStreamGroups(tile)).toBe(false)
    expect(canStreamGroups(config('contiguous/256x128/s3/left/bf16'))).toBe(true)
  })

  it('has room for a group in every 128 contiguous rows', () => {
    const few = { groups: 8, m: 384, n: 128, k: 256, expected: 48 }
    const grid = (name: string): number => sm90GroupedSchedule(config(name), few, 132, 'whole').grid
    expect(grid('contiguous/256x128/s3/bf16')).toBe(3)
    expect(grid('contiguous/64x128/s8/bf16')).toBe(6)
  })

  it('has no more blocks than the fullest groups could use', () => {
    const tile = config('packed/swapped-64x8/s12/alternating4/bf16')
    const few = { groups: 256, m: 2, n: 128, k: 256, expected: 2 / 256 }
    // Two rows lie in two groups at most, and share a tile otherwise: 2 x (1 + 2) tiles.
    expect(sm90GroupedSchedule(tile, few, 132, 'whole').grid).toBe(6)
  })
})

describe('tensor maps of a grouped product', () => {
  it('see all groups as one matrix', () => {
    const at: GroupedExtents = { groups: 6, m: 300, n: 520, k: 1040, expected: 100 }
    const rowBytes = { a: 1040, b: 1040, out: 1040 }
    const maps = sm90GroupedMaps(config('masked/128x128/s5/bf16'), at, rowBytes)
    expect(maps.left.extents).toEqual([1040, 1800])
    expect(maps.right.extents).toEqual([1040, 3120])
    expect(maps.leftScales?.extents).toEqual([300, 6 * 9])
    expect(maps.rightScales).toBeUndefined()
    expect(maps.out).toMatchObject({ extents: [520, 1800], box: [64, 64] })
  })

  it('leave out D where registers store it', () => {
    const at: GroupedExtents = { groups: 6, m: 300, n: 520, k: 1040, expected: 10 }
    const rowBytes = { a: 1040, b: 1040, out: 1040 }
    const swapped = config('packed/swapped-64x16/s10/alternating4/bf16')
    const maps = sm90GroupedMaps(swapped, at, rowBytes)
    expect(maps.out).toBeUndefined()
    expect([maps.left.extents, maps.right.extents]).toEqual([
      [1040, 3120],
      [1040, 300],
    ])
  })

  it('are refused for more rows than 32 bits count', () => {
    const at = { groups: 60_000, m: 65_536, n: 64, k: 128, expected: 1 }
    expect(() => requireSm90Groups({ layout: 'masked' }, at)).toThrow(ShapeError)
    expect(() => requireSm90Groups({ layout: 'packed' }, at)).not.toThrow()
    expect(() => requireSm90Groups({ layout: 'k-grouped' }, at)).toThrow(ShapeError)
  })
})

describe('the cost model of grouped products', () => {
  const choice = (layout: RowsLayout, at: Omit<GroupedExtents, 'm'>): Sm90Config =>
    chooseGroupedConfig(
      sm90GroupedCandidates(familyOf(layout)),
      { ...at, m: layout === 'masked' ? 4096 : at.groups * at.expected },
      h100,
    ).config

  it('puts few tokens on the narrow side, all of a group in one tile', () => {
    const { swapped, blockRight } = choice('masked', { groups: 32, n: 4096, k: 7168, expected: 8 })
    expect(swapped).toBe(true)
    expect(blockRight).toBeGreaterThanOrEqual(8)
  })

  it('finds a tile that most groups fill, and few rounds of tiles', () => {
    const of = (groups: number, expected: number, n: number, k: number): string =>
      sm90ConfigName(choice('masked', { groups, n, k, expected }))
    // 256 rows hold nearly every group of 192; of one group of 1024 rows they make too few tiles.
    expect(of(32, 192, 4096, 7168)).toBe('masked/256x128/s3/bf16')
    expect(of(1, 1024, 7168, 2048)).toBe('masked/192x128/s4/bf16')
  })

  it('counts contiguous rows without most of their padding', () => {
    const cost = (layout: RowsLayout, expected: number): number => {
      const at = { groups: 256, n: 2048, k: 7168, m: 256 * expected, expected }
      return sm90GroupedCost(config(`${layout}/128x128/s5/left/bf16`), at, h100).microseconds
    }
    expect(cost('contiguous', 192) / cost('packed', 128)).toBeCloseTo(1, 1)
  })

  it('takes the tallest tiles for the longest groups', () => {
    const chosen = choice('contiguous', { groups: 4, n: 4096, k: 7168, expected: 8192 })
    expect(chosen.blockLeft).toBe(256)
  })

  it('knows that few rows reach few of many groups', () => {
    const cost = (expected: number): number => {
      const at = { groups: 256, n: 4096, k: 7168, m: 256, expected }
      return sm90GroupedCost(config('packed/swapped-64x8/s12/alternating4/bf16'), at, h100)
        .microseconds
    }
    // 8 rows need at most 8 of 256 groups' weights.
    expect(cost(8 / 256)).toBeLessThan(cost(64) / 20)
  })

  it('never costs less for more, once every multiprocessor has a tile', () => {
    // Fewer tiles are shared along K by more workers, and more partial sums are added.
    const size = fc.integer({ min: 1, max: 2000 })
    const extents = fc.record({ groups: fc.integer({ min: 16, max: 300 }), expected: size })
    fc.assert(
      fc.property(extents, fc.constantFrom('contiguous', 'packed', 'masked'), (at, layout) => {
        const best = (groups: number): number =>
          chooseGroupedConfig(
            sm90GroupedCandidates(familyOf(layout)),
            {
              ...at,
              groups,
              n: 2048,
              k: 2048,
              m: layout === 'masked' ? 2048 : groups * at.expected,
            },
            h100,
          ).microseconds
        expect(best(2 * at.groups)).toBeGreaterThan(0.95 * best(at.groups))
      }),
      { numRuns: 50 },
    )
  })
})

describe('the configs of a range of grouped products', () => {
  it('are one for one expectation', () => {
    const at = { family: familyOf('masked'), groups: 32, m: 512, n: 4096, k: 7168 }
    expect(groupedConfigsFor({ ...at, least: 20, most: 20 }, h100)).toHaveLength(1)
  })

  it('are a handful from a single row to many', () => {
    const at = { family: familyOf('packed'), groups: 256, m: 32_768, n: 4096, k: 7168 }
    const configs = groupedConfigsFor({ ...at, least: 1 / 256, most: 128 }, h100)
    expect(configs.length).toBeGreaterThan(2)
    expect(configs.length).toBeLessThan(10)
  })

  it('are sampled from end to end', () => {
    expect(sampleExpectations({ least: 1, most: 10 })).toEqual([1, 2, 4, 8, 10])
    expect(sampleExpectations({ least: 5, most: 5 })).toEqual([5])
  })
})
