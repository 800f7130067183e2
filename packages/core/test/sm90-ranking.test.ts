import {
  chooseSm90Config,
  rankSm90Choices,
  sm90Candidates,
  sm90ConfigName,
  tuningPoints,
} from '@deepgemm/core/sm90'
import { describe, expect, it } from 'vitest'

const configs = sm90Candidates({ recipeB: '128x128', out: 'bf16', accumulate: false })
const device = { multiprocessors: 132 }
const extents = { m: 100, n: 4096, k: 7168 }

describe('the shortlist of configs', () => {
  it('begins with the cost model’s choice and goes on with the next best', () => {
    const choices = rankSm90Choices(configs, extents, device, { most: 5, within: 10 })
    expect(choices).toHaveLength(5)
    expect(choices[0]).toEqual(chooseSm90Config(configs, extents, device))
    const names = choices.map(({ config }) => sm90ConfigName(config))
    expect(new Set(names).size).toBe(5)
    const times = choices.map(({ microseconds }) => microseconds)
    expect(times).toEqual([...times].sort((a, b) => a - b))
  })

  it('leaves out what is predicted to be far slower', () => {
    expect(rankSm90Choices(configs, extents, device, { most: 99, within: 1 })).toHaveLength(1)
    const few = rankSm90Choices(configs, extents, device, { most: 99, within: 1.1 })
    const [first, last] = [few[0], few.at(-1)]
    expect(last?.microseconds).toBeLessThanOrEqual(1.1 * (first?.microseconds ?? 0))
  })
})

describe('the values of M that are measured', () => {
  it.each([1, 7, 64, 300, 4096, 16_384])('up to %i are few, rise, and end there', (max) => {
    const points = tuningPoints({ min: 1, max }, 32)
    expect(points.length).toBeLessThanOrEqual(32)
    expect(points.at(-1)).toBe(max)
    expect(points).toEqual([...new Set(points)].sort((a, b) => a - b))
  })
})
