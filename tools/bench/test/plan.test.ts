import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stepsOf } from '../src/benchmark.js'
import { parseOptions } from '../src/options.js'
import { coldCopies, gemmCases, rowsInLayout, workload } from '../src/plan/cases.js'
import { measureRounds, roundOrder } from '../src/plan/rounds.js'

const never = new AbortController().signal

describe('the workload', () => {
  it('covers every row count of the 4096x7168 weights, with each number of threads, plain and prepacked', () => {
    const cases = gemmCases(workload(false), [1, 2])
    for (const threads of [1, 2]) {
      const best = cases.filter(
        (item) => item.threads === threads && item.n === 4096 && item.isa === undefined,
      )
      for (const prepacked of [undefined, true]) {
        const ms = best.filter((item) => item.prepacked === prepacked).map(({ m }) => m)
        expect(ms).toEqual([1, 2, 4, 8, 16, 64, 512])
      }
    }
  })

  it('has experts with 1 to 4 tokens each, all four numbers among them', () => {
    const few = workload(false).grouped.find(({ sizes }) => sizes.length === 256)
    expect(new Set(few?.sizes)).toEqual(new Set([1, 2, 3, 4]))
  })

  it('leaves out the sections that were not asked for', () => {
    const titles = (sections: string): string[] =>
      stepsOf(parseOptions(['cpu', '--threads', '1', '--sections', sections]), workload(true)).map(
        ({ title }) => title,
      )
    expect(titles('casts,event-loop')).toEqual(['casts, 1 thread', 'event loop, 1 thread'])
    expect(titles('gemm')).toContain('1x256x512, 1 thread')
    expect(titles('gemm')).toContain('64x256x512, 1 thread, avx2')
  })
})

describe('copies of the weights', () => {
  it('exceed the caches together and are at least one', () => {
    expect(coldCopies(100, 1000)).toBe(10)
    expect(coldCopies(300, 1000)).toBe(4)
    expect(coldCopies(5000, 1000)).toBe(1)
    expect(coldCopies(0, 1000)).toBe(1000)
  })
})

describe('rows of A', () => {
  it('are those of all groups, padded as the layout pads', () => {
    const sizes = [1, 0, 130]
    expect(rowsInLayout('packed', sizes)).toBe(131)
    expect(rowsInLayout('contiguous', sizes)).toBe(128 + 0 + 256)
    expect(rowsInLayout('masked', sizes)).toBe(3 * 130)
  })
})

describe('rounds', () => {
  it('run every contestant once, in an order that changes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(50), (count, round) => {
        const order = roundOrder(count, round)
        expect([...order].sort((a, b) => a - b)).toEqual(order.map((_, i) => i))
      }),
    )
    expect([0, 1, 2].map((round) => roundOrder(3, round))).toEqual([
      [0, 1, 2],
      [0, 2, 1],
      [2, 0, 1],
    ])
  })

  it('give each contestant as many samples, each the mean of short runs', async () => {
    let runs = 0
    const short = { name: 'short', run: async () => [9, 9, 0.01, 0.02, 0.03][runs++ % 5] as number }
    // The first run says that it is long, so that a sample is one run.
    const samples = await measureRounds([short], { rounds: 3, signal: never, pauseMs: 0 })
    expect(samples.get('short')).toEqual([9, 0.01, 0.02])
    runs = 0
    const quick = { name: 'quick', run: async () => (runs++ < 2 ? 0 : 0.01) }
    const means = await measureRounds([quick], { rounds: 2, signal: never, pauseMs: 0 })
    expect(means.get('quick')?.map((mean) => Number(mean.toFixed(6)))).toEqual([0.01, 0.01])
  })

  it('end at once when they are interrupted', async () => {
    const abort = new AbortController()
    const run = async (): Promise<number> => {
      abort.abort(new Error('interrupted'))
      return 1
    }
    const names = ['a', 'b']
    const rounds = measureRounds(
      names.map((name) => ({ name, run })),
      { rounds: 9, signal: abort.signal, pauseMs: 0 },
    )
    await expect(rounds).rejects.toThrow('interrupted')
  })
})
