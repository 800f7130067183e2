import type { GemmForm } from '@deepgemm/core'
import {
  fp8GemmNN,
  fp8GemmNT,
  fp8GemmTN,
  fp8GemmTT,
  type GemmPlan,
  planGemm,
} from '@deepgemm/dense'
import { allocateQuantized } from '@deepgemm/runtime'
import { describe, expect, it } from 'vitest'
import { useFakeGpu } from '../../runtime/test/support/fake-gpu.js'
import { address, argument } from './support/gemm-arguments.js'

const gpu = useFakeGpu()
const GEMMS = { NT: fp8GemmNT, NN: fp8GemmNN, TN: fp8GemmTN, TT: fp8GemmTT }

type Change = Partial<Parameters<typeof allocateQuantized>[1]>

function operands(form: GemmForm, [m, n, k]: readonly number[], a: Change = {}, b: Change = {}) {
  const ofA =
    form[0] === 'N'
      ? { shape: [m, k], recipe: '1x128' as const }
      : { shape: [k, m], recipe: '128x1' as const }
  const shapeB = form[1] === 'T' ? [n, k] : [k, n]
  return {
    a: allocateQuantized(gpu.device, { ...(ofA as { shape: number[]; recipe: '1x128' }), ...a }),
    b: allocateQuantized(gpu.device, {
      ...{ shape: shapeB as number[], recipe: '128x128', ...b },
    }),
  }
}

const launches = (): number => gpu.fake.calls()['cuLaunchKernelEx'] ?? 0

/** Workspaces of the default stream, by label. */
function workspaces(): Record<string, number> {
  const owned = gpu.device.memory().buffers.filter(({ label }) => label.startsWith('GEMM'))
  return Object.fromEntries(owned.map(({ label, bytes }) => [label, bytes]))
}

describe('a product of another form on a GPU', () => {
  it.each([
    ['NT', 1, []],
    ['NN', 2, ['B']],
    ['TT', 2, ['A']],
    ['TN', 3, ['A', 'B']],
  ] as const)(
    '%s takes %i launches: those of K outermost are transposed',
    async (form, count, of) => {
      const { a, b } = operands(form, [300, 520, 1040])
      const d = await GEMMS[form](a, b)
      expect(launches()).toBe(count)
      const extents = [argument(gpu.fake, 'leftExtent'), argument(gpu.fake, 'rightExtent')]
      expect(extents.sort()).toEqual([300, 520])
      expect(argument(gpu.fake, 'k')).toBe(1040)
      const transposed = Object.keys(workspaces()).filter((label) => label.includes('values'))
      expect(transposed.sort()).toEqual(of.map((name) => `GEMM values of ${name}`))
      for (const owned of [a, b, d]) owned.dispose()
    },
  )

  it('reads scales of every layout and format: others than its own are converted first', async () => {
    const shape = [300, 520, 1040] as const
    const counts: number[] = []
    for (const [ofA, ofB] of [
      [{ orientation: 'k-major' }, {}],
      [{ scaleDType: 'ue8m0' }, {}],
      [{}, { orientation: 'mn-major' }],
      [{}, { scaleDType: 'ue8m0' }],
      [{ scaleDType: 'ue8m0' }, { recipe: '1x128', scaleDType: 'ue8m0' }],
    ] as const) {
      const before = launches()
      const { a, b } = operands('NT', shape, ofA, ofB)
      const d = await fp8GemmNT(a, b)
      counts.push(launches() - before)
      for (const owned of [a, b, d]) owned.dispose()
    }
    expect(counts).toEqual([2, 2, 2, 2, 3])
  })

  it('of a batch launches each of its products', async () => {
    const shape = { a: [3, 300, 1040], b: [3, 520, 1040] }
    const { a, b } = operands('NT', [300, 520, 1040], { shape: shape.a }, { shape: shape.b })
    const d = await fp8GemmNT(a, b)
    expect(d.shape).toEqual([3, 300, 520])
    expect(launches()).toBe(3)
    const first = address(gpu.fake, 'directOut')
    await fp8GemmNT(a, b, { out: d })
    expect(address(gpu.fake, 'directOut')).toBe(first)
    for (const owned of [a, b, d]) owned.dispose()
  })
})

describe('a product over no K', () => {
  it('zeroes its output without a kernel, or leaves what it is added to', async () => {
    const { a, b } = operands('NT', [3, 5, 0], { shape: [2, 3, 0] }, { shape: [2, 5, 0] })
    const ones = new Float32Array(2 * 3 * 6).fill(1)
    const whole = gpu.device.tensor(ones, { dtype: 'f32', shape: [2, 3, 6] })
    const out = whole.slice(2, 0, 5)
    await fp8GemmNT(a, b, { out, accumulate: true })
    expect(await whole.toFloat32Array()).toEqual(ones)
    await fp8GemmNT(a, b, { out })
    const expected = ones.map((_, i) => (i % 6 === 5 ? 1 : 0))
    expect(await whole.toFloat32Array()).toEqual(expected)
    expect(launches()).toBe(0)
    for (const owned of [a, b, whole]) owned.dispose()
  })
})

describe('a plan on a GPU', () => {
  it('has its workspace at its largest from the start', async () => {
    const plan = await planGemm(gpu.device, { form: 'TN', n: 520, k: 1040, m: { max: 700 } })
    plan.reserve()
    const reserved = workspaces()
    expect(reserved).toMatchObject({
      'GEMM values of A': 700 * 1040,
      'GEMM values of B': 520 * 1040,
    })
    for (const m of [16, 700, 300]) {
      const { a, b } = operands('TN', [m, 520, 1040])
      const out = gpu.device.zeros({ dtype: 'bf16', shape: [m, 520] })
      plan.run({ a, b, out })
      await gpu.device.synchronize()
      for (const owned of [a, b, out]) owned.dispose()
    }
    expect(workspaces()).toEqual(reserved)
  })

  it('lets the weights be fetched early only when told so, and when they lie ready', async () => {
    const plan = await planGemm(gpu.device, { n: 520, k: 1040, m: { max: 64 } })
    const { a, b } = operands('NT', [64, 520, 1040])
    const out = gpu.device.zeros({ dtype: 'bf16', shape: [64, 520] })
    const readyOf = async (run: object): Promise<number> => {
      plan.run({ a, b, out, ...run })
      await gpu.device.synchronize()
      return argument(gpu.fake, 'weightsReady')
    }
    expect(await readyOf({})).toBe(0)
    expect(await readyOf({ weightsReady: true })).toBe(1)
    expect(await readyOf({ weightsReady: false })).toBe(0)
    expect(gpu.fake.lastLaunch()?.programmatic).toBe(true)
    // These scales are converted by the launch just before.
    const converted = operands('NT', [1, 520, 1040], {}, { scaleDType: 'ue8m0' })
    expect(await readyOf({ b: converted.b, weightsReady: true })).toBe(0)
    for (const owned of [a, b, out, converted.a, converted.b]) owned.dispose()
  })
})

describe('a run like an earlier one', () => {
  it('is launched without encoding anything again', async () => {
    const plan = await planGemm(gpu.device, { n: 520, k: 1040, m: { max: 300 } })
    const { a, b } = operands('NT', [300, 520, 1040])
    const out = gpu.device.zeros({ dtype: 'bf16', shape: [300, 520] })
    plan.run({ a, b, out })
    const encodings = gpu.fake.calls()['cuTensorMapEncodeTiled']
    // Other views of the same memory are the same operands.
    plan.run({ a, b, out: out.slice(0, 0, 300) })
    plan.run({ a, b, out })
    expect(gpu.fake.calls()['cuTensorMapEncodeTiled']).toBe(encodings)
    expect(launches()).toBe(3)
    for (const owned of [a, b, out]) owned.dispose()
  })

  it('is told from one of other rows, alignment, strides or promise', async () => {
    const plan = await planGemm(gpu.device, { n: 520, k: 1040, m: { max: 300 } })
    const { a, b } = operands('NT', [300, 520, 1040])
    const other = operands('NT', [16, 520, 1040])
    const out = gpu.device.zeros({ dtype: 'bf16', shape: [300, 528] })
    const narrow = out.slice(1, 0, 520)
    const dense = gpu.device.zeros({ dtype: 'bf16', shape: [300, 520] })
    const encoded = (run: Parameters<typeof plan.run>[0]): boolean => {
      const before = gpu.fake.calls()['cuTensorMapEncodeTiled']
      plan.run(run)
      return gpu.fake.calls()['cuTensorMapEncodeTiled'] !== before
    }
    expect(encoded({ a, b, out: narrow })).toBe(true)
    expect(encoded({ a: other.a, b, out: out.slice(0, 0, 16).slice(1, 0, 520) })).toBe(true)
    expect(encoded({ a, b, out: dense })).toBe(true)
    expect(encoded({ a, b, out: narrow, weightsReady: true })).toBe(true)
    expect(encoded({ a, b, out: narrow })).toBe(false)
    expect(() => plan.run({ a, b, out: out.slice(1, 4, 524) })).toThrow(/byte offset 8/)
    await gpu.device.synchronize()
    for (const owned of [a, b, other.a, other.b, out, dense]) owned.dispose()
  })

  it('passes what a plan of its own would pass, wherever its tensors lie', async () => {
    // Tiles that are shared along K: the workspace is an argument too.
    const spec = { n: 512, k: 7168, m: { max: 64 } } as const
    const plan = await planGemm(gpu.device, spec)
    using second = gpu.device.createStream()
    const shape = [64, spec.n, spec.k] as const
    const [first, next] = [operands('NT', shape), operands('NT', shape)]
    const out = gpu.device.zeros({ dtype: 'bf16', shape: [128, spec.n] })
    const [top, bottom] = [out.slice(0, 0, 64), out.slice(0, 64, 128)]
    const passed = async (by: GemmPlan, run: Parameters<typeof plan.run>[0]) => {
      by.run(run)
      await gpu.device.synchronize()
      return Buffer.from(gpu.fake.lastArguments()).toString('hex')
    }
    await passed(plan, { ...first, out: top })
    expect(argument(gpu.fake, 'streamedTiles')).toBeGreaterThan(0)
    const encodings = gpu.fake.calls()['cuTensorMapEncodeTiled']
    const runs = [
      { ...next, out: bottom },
      { a: first.a, b: next.b, out: top },
      { ...next, out: bottom, stream: second },
      { ...first, out: top },
    ]
    const moved: string[] = []
    for (const run of runs) moved.push(await passed(plan, run))
    expect(gpu.fake.calls()['cuTensorMapEncodeTiled']).toBe(encodings)
    expect(new Set(moved).size).toBe(runs.length)
    for (const [i, run] of runs.entries()) {
      expect(moved[i]).toBe(await passed(await planGemm(gpu.device, spec), run))
    }
    for (const owned of [first.a, first.b, next.a, next.b, out]) owned.dispose()
  })

  it('is remembered beside those of many other buffers and sizes', async () => {
    const plan = await planGemm(gpu.device, { form: 'TT', n: 64, k: 128, m: { max: 64 } })
    const plain = await planGemm(gpu.device, { n: 64, k: 128, m: { max: 64 } })
    const runs = Array.from({ length: 24 }, (_, i) => {
      const shape = [i + 1, 64, 128]
      const out = gpu.device.zeros({ dtype: 'bf16', shape: [i + 1, 64] })
      return { out, turned: operands('TT', shape), direct: operands('NT', shape) }
    })
    const all = (): void => {
      for (const { out, turned, direct } of runs) {
        plan.run({ ...turned, out })
        plain.run({ ...direct, out })
      }
    }
    all()
    const encodings = gpu.fake.calls()['cuTensorMapEncodeTiled']
    all()
    all()
    expect(gpu.fake.calls()['cuTensorMapEncodeTiled']).toBe(encodings)
    expect(launches()).toBe(3 * 24 * 3)
    for (const { out, turned, direct } of runs) {
      for (const owned of [out, turned.a, turned.b, direct.a, direct.b]) owned.dispose()
    }
  })

  it('is refused once an operand, the output or the workspace is gone', async () => {
    const plan = await planGemm(gpu.device, { n: 520, k: 1040, m: { max: 300 } })
    const { a, b } = operands('NT', [300, 520, 1040])
    const out = gpu.device.zeros({ dtype: 'bf16', shape: [300, 520], label: 'logits' })
    plan.run({ a, b, out })
    out.dispose()
    expect(() => plan.run({ a, b, out })).toThrow(/logits .* was disposed/)
    const next = gpu.device.zeros({ dtype: 'bf16', shape: [300, 520] })
    plan.run({ a, b, out: next })
    b.scales.dispose()
    expect(() => plan.run({ a, b, out: next })).toThrow(/was disposed/)
    for (const owned of [a, b, next]) owned.dispose()
  })
})
