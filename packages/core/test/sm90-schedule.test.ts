import {
  chooseSm90Config,
  configsFor,
  SM90_FAMILIES,
  type Sm90Config,
  type Sm90Family,
  sampleRange,
  sm90Candidates,
  sm90ConfigName,
  sm90Schedule,
} from '@deepgemm/core/sm90'
import { describe, expect, it } from 'vitest'

const h100 = { multiprocessors: 132 }
const weights = SM90_FAMILIES[0] as Sm90Family
const candidates = sm90Candidates(weights)
const config = (name: string): Sm90Config => {
  const found = candidates.find((item) => sm90ConfigName(item) === name)
  if (found === undefined) throw new Error(`no candidate is called ${name}`)
  return found
}

describe('the schedule of a launch', () => {
  it('gives a cluster the tiles of both its blocks', () => {
    const extents = { m: 4096, n: 4096, k: 7168 }
    const shared = config('256x128/s3/left/bf16')
    expect(sm90Schedule(shared, extents, 132, 'whole')).toEqual({
      leftTiles: 16,
      rightTiles: 16,
      band: 8,
      workers: 66,
      grid: 132,
      streamedTiles: 0,
      partialBytes: 0,
      flagBytes: 0,
    })
  })

  it('streams the last, incomplete round and the one before', () => {
    const tile = config('128x128/s5/bf16')
    const schedule = sm90Schedule(tile, { m: 2048, n: 2112, k: 7168 }, 132, 'tail')
    expect(schedule.leftTiles * schedule.rightTiles).toBe(272)
    expect(schedule.streamedTiles).toBe(272 - 132)
    expect(schedule.partialBytes).toBe(132 * 128 * 128 * 4)
  })

  it('has no more workers than there is work', () => {
    const tile = config('128x128/s5/bf16')
    expect(sm90Schedule(tile, { m: 1, n: 8, k: 16 }, 132, 'whole').grid).toBe(1)
    expect(sm90Schedule(tile, { m: 1, n: 8, k: 512 }, 132, 'all').workers).toBe(4)
    expect(sm90Schedule(tile, { m: 0, n: 8, k: 512 }, 132, 'whole').grid).toBe(0)
  })
})

describe('the cost model', () => {
  const choice = (m: number, n: number, k: number): string => {
    const { config: chosen, streaming } = chooseSm90Config(candidates, { m, n, k }, h100)
    return `${sm90ConfigName(chosen)} ${streaming}`
  }

  it('puts few tokens on the narrow side and streams where tiles are few', () => {
    expect(choice(1, 2112, 7168)).toBe('swapped-64x8/s12/alternating4/bf16 tail')
    expect(choice(16, 24576, 1536)).toBe('swapped-64x16/s10/alternating4/bf16 whole')
  })

  it('takes the largest shared tiles where there are enough of them', () => {
    expect(choice(4096, 4096, 7168)).toMatch(/^256x128/)
  })

  it('never finds more rows of A to be cheaper by more than a tile is worth', () => {
    for (const [n, k] of [
      [2112, 7168],
      [7168, 2048],
    ] as const) {
      const costs = sampleRange({ m: { min: 1, max: 4096 } }).map(
        (m) => chooseSm90Config(candidates, { m, n, k }, h100).microseconds,
      )
      costs.reduce((most, cost) => {
        expect(cost).toBeGreaterThan(0.9 * most)
        return Math.max(most, cost)
      })
    }
  })

  it('never claims to beat the memory', () => {
    for (const m of sampleRange({ m: { min: 1, max: 4096 } })) {
      const { microseconds } = chooseSm90Config(candidates, { m, n: 7168, k: 2048 }, h100)
      expect(microseconds).toBeGreaterThan((7168 * 2048 + m * 2048 + 2 * m * 7168) / 3.35e6)
    }
  })
})

describe('the configs of a range', () => {
  const range = { family: weights, n: 7168, k: 2048, m: { min: 1, max: 4096 } }

  it('are a handful, and close to the best of all at every M', () => {
    const handful = configsFor(range, h100)
    expect(handful.length).toBeLessThanOrEqual(12)
    for (const m of sampleRange(range)) {
      const at = { m, n: range.n, k: range.k }
      const best = chooseSm90Config(candidates, at, h100).microseconds
      expect(chooseSm90Config(handful, at, h100).microseconds).toBeLessThan(1.25 * best)
    }
  })

  it('shrink with the range and with what is asked for', () => {
    expect(configsFor({ ...range, m: { min: 1, max: 1 } }, h100)).toHaveLength(1)
    expect(configsFor({ ...range, most: 2 }, h100)).toHaveLength(2)
  })

  it.each(SM90_FAMILIES.map((family) => [`${family.recipeB} ${family.out}`, family] as const))(
    'exist for %s',
    (_, family) => {
      const configs = configsFor({ ...range, family }, h100)
      expect(configs.length).toBeGreaterThan(0)
      for (const { out, accumulate } of configs)
        expect({ out, accumulate }).toEqual({ out: family.out, accumulate: family.accumulate })
    },
  )
})
