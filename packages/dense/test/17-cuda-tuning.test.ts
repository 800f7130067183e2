import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { configName, OptionError } from '@deepgemm/core'
import { type GemmPlanSpec, planGemm } from '@deepgemm/dense'
import { allocateQuantized, Device } from '@deepgemm/runtime'
import { describe, expect, it, vi } from 'vitest'
import { useFakeGpu } from '../../runtime/test/support/fake-gpu.js'
import {
  quickest,
  type TuningCase,
  tunedCases,
  tunedConfig,
  tuneGemm,
  tuningCases,
} from '../src/cuda/tuning.js'

const family = { recipeB: '128x128', out: 'bf16', accumulate: false } as const
const range = { family, n: 2112, k: 7168, m: { min: 1, max: 300 } } as const
const cases = tuningCases(range, { multiprocessors: 132 })

describe('what is measured', () => {
  it('is a handful of configs for values of M that cover the range', () => {
    expect(cases.map(({ m }) => m)).toEqual([1, 8, 16, 24, 32, 40, 48, 56, 64, 128, 192, 256, 300])
    for (const { shortlist } of cases) {
      expect(shortlist.length).toBeGreaterThanOrEqual(1)
      expect(shortlist.length).toBeLessThanOrEqual(4)
      const times = shortlist.map(({ microseconds }) => microseconds)
      expect(times).toEqual([...times].sort((a, b) => a - b))
    }
  })

  it('is bounded for any range, and has its end', () => {
    const wide = tuningCases({ ...range, m: { min: 1, max: 16_000 } }, { multiprocessors: 132 })
    expect(wide.length).toBeLessThanOrEqual(32)
    expect(wide.at(-1)?.m).toBe(16_000)
  })

  it('replaces the cost model’s choice only by one that is quicker by more than noise', () => {
    expect(quickest([10, 9.95, 12])).toBe(0)
    expect(quickest([10, 9.8, 9.7])).toBe(2)
    expect(quickest([10])).toBe(0)
  })

  it('decides for each M with the case at or above it', () => {
    const answer = cases.map(({ shortlist }) => shortlist.length - 1)
    const tuned = tunedCases(cases, answer)
    const last = (at: TuningCase | undefined) => at?.shortlist.at(-1)?.config
    expect(tunedConfig(tuned, 1)).toBe(last(cases[0]))
    expect(tunedConfig(tuned, 2)).toBe(last(cases[1]))
    expect(tunedConfig(tuned, 64)).toBe(last(cases[8]))
    expect(tunedConfig(tuned, 65)).toBe(last(cases[9]))
    expect(tunedConfig(tuned, 9999)).toBe(last(cases.at(-1)))
  })

  it.each([undefined, 'fast', [], [99, -1, 0.5, null, '1']])(
    'falls back to the cost model when the answer is %j',
    (answer) => {
      const first = cases.map(({ m, shortlist }) => ({ m, config: shortlist[0]?.config }))
      expect(tunedCases(cases, answer)).toEqual(first)
    },
  )
})

describe('a tuned plan on a GPU', () => {
  const gpu = useFakeGpu()
  const spec: GemmPlanSpec = { n: 512, k: 256, m: { max: 40 }, tune: true }
  const timings = (): number => gpu.fake.calls()['cuGraphLaunch'] ?? 0
  /** The files of all answers in the cache. */
  const answers = (): readonly string[] =>
    readdirSync(gpu.cache, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.json'))
      .map((name) => join(gpu.cache, name))
      .filter((path) => readFileSync(path, 'utf8').includes('gemm_tuning'))
      .map((path) => path.replace(/json$/, 'cubin'))
  const names = (plan: { configs: readonly Parameters<typeof configName>[0][] }) =>
    plan.configs.map(configName)

  it('times candidates once, and finds the answer in the cache afterwards', async () => {
    const told: string[] = []
    const first = await planGemm(gpu.device, {
      ...spec,
      onProgress: ({ kernel }) => told.push(kernel),
    })
    const measured = timings()
    expect(measured).toBeGreaterThan(first.configs.length)
    expect(told.length).toBeGreaterThanOrEqual(first.configs.length)
    const second = await planGemm(gpu.device, spec)
    expect(timings()).toBe(measured)
    expect(names(second)).toEqual(names(first))
    await using other = await Device.open({ kind: 'cuda' })
    await planGemm(other, spec)
    expect(timings()).toBe(measured)
  })

  it('times anew for other products', async () => {
    await planGemm(gpu.device, spec)
    for (const change of [{ n: 520 }, { k: 272 }, { m: { max: 41 } }, { out: 'f32' }] as const) {
      const before = timings()
      await planGemm(gpu.device, { ...spec, ...change })
      expect(timings()).toBeGreaterThan(before)
    }
  })

  it('times anew when the answer in the cache is damaged', async () => {
    const damaged = { ...spec, n: 1024 }
    await planGemm(gpu.device, damaged)
    const before = timings()
    const said = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    for (const name of answers()) writeFileSync(name, '[9]')
    await planGemm(gpu.device, damaged)
    expect(timings()).toBeGreaterThan(before)
    expect(said).toHaveBeenCalledWith(expect.stringMatching(/compiled anew/), expect.anything())
    said.mockRestore()
  })

  it('runs what was measured to be quickest, and times nothing then', async () => {
    const products = { family, n: 2112, k: 7168, m: { min: 1, max: 64 } } as const
    const chosen: string[] = []
    const tuned = await tuneGemm(gpu.device, products, async () => ({
      async time({ shortlist }) {
        chosen.push(configName((shortlist.at(-1) as (typeof shortlist)[number]).config))
        return shortlist.map((_, i) => 10 - i)
      },
      [Symbol.dispose]() {},
    }))
    expect(tuned.map(({ config }) => configName(config))).toEqual(chosen)
    const plan = await planGemm(gpu.device, { n: 2112, k: 7168, m: { max: 64 }, tune: true })
    const before = timings()
    expect(names(plan)).toEqual([...new Set(chosen)])
    const a = allocateQuantized(gpu.device, { shape: [64, 7168], recipe: '1x128' })
    const b = allocateQuantized(gpu.device, { shape: [2112, 7168], recipe: '128x128' })
    const out = gpu.device.zeros({ dtype: 'bf16', shape: [64, 2112] })
    plan.run({ a, b, out })
    await gpu.device.synchronize()
    expect(timings()).toBe(before)
    for (const owned of [a, b, out]) owned.dispose()
  })

  it('covers no rows at all, and no K', async () => {
    expect((await planGemm(gpu.device, { ...spec, m: { max: 0 } })).spec.tune).toBe(true)
    expect((await planGemm(gpu.device, { ...spec, k: 0 })).configs).toEqual([])
  })

  it('rejects with what went wrong, keeps no answer, and leaves no memory behind', async () => {
    const failing = { ...spec, n: 768 }
    gpu.fake.fail('cuGraphLaunch', 3, 999)
    await expect(planGemm(gpu.device, failing)).rejects.toThrow(/CUDA_ERROR_UNKNOWN/)
    const before = timings()
    await planGemm(gpu.device, failing)
    expect(timings()).toBeGreaterThan(before)
  })
})

describe('the option tune', () => {
  it('is for a GPU; a CPU has nothing to choose', async () => {
    await using device = await Device.open({ kind: 'cpu' })
    const plan = await planGemm(device, { n: 8, k: 16, m: { max: 4 }, tune: true })
    expect(plan.configs).toHaveLength(1)
  })

  it('is true or false', async () => {
    await using device = await Device.open({ kind: 'cpu' })
    const spec = { n: 8, k: 16, m: { max: 4 }, tune: 'yes' as never }
    await expect(planGemm(device, spec)).rejects.toThrow(OptionError)
  })
})
