import {
  configName,
  DeviceError,
  DisposedError,
  OptionError,
  RecipeError,
  ShapeError,
} from '@deepgemm/core'
import { type GemmPlanSpec, planGemm } from '@deepgemm/dense'
import { Device } from '@deepgemm/runtime'
import { availableDevices, expectRefusal, randomQuantized } from '@deepgemm/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectProducts, startOutput } from './support/output.js'
import { expectedProducts, FORMS, PLAIN, place } from './support/products.js'

const [N, K] = [72, 208]

describe.each(await availableDevices(Device))('a plan on $kind', ({ kind, open }) => {
  let device: Device

  beforeAll(async () => {
    device = await open()
  })

  afterAll(async () => {
    await device.dispose()
    expect(device.memory().buffers).toEqual([])
  })

  function operands(m: number, form: (typeof FORMS)[number] = 'NT', groups?: number) {
    const matrices = (seed: number, rows: number, recipe: '1x128' | '128x128') => {
      const one = (g: number) => randomQuantized(seed + g, { rows, cols: K, recipe })
      return groups === undefined ? one(0) : Array.from({ length: groups }, (_, g) => one(g))
    }
    const host = { a: matrices(m, m, '1x128'), b: matrices(-m - 9, N, '128x128') }
    return { host, ...place(device, host, form, PLAIN) }
  }

  it.each(FORMS)('in the form %s runs products of every M up to its bound', async (form) => {
    const plan = await planGemm(device, { form, n: N, k: K, m: { max: 90 }, out: 'f32' })
    for (const m of [0, 1, 7, 64, 90]) {
      const { host, a, b } = operands(m, form)
      const spec = { dtype: 'f32', shape: [m, N], gap: 8, accumulate: false, seed: m } as const
      const started = startOutput(device, spec)
      expect(plan.run({ a, b, out: started.out })).toBeUndefined()
      await device.defaultStream.synchronize()
      await expectProducts(started, expectedProducts(host, started.start, kind))
      for (const owned of [a, b, started.out]) owned.dispose()
    }
  })

  it('adds to its outputs when told to', async () => {
    const plan = await planGemm(device, { n: N, k: K, m: { max: 9 }, accumulate: true })
    const { host, a, b } = operands(9)
    const spec = { dtype: 'bf16', shape: [9, N], gap: 0, accumulate: true, seed: 1 } as const
    const started = startOutput(device, spec)
    plan.run({ a, b, out: started.out })
    await device.defaultStream.synchronize()
    await expectProducts(started, expectedProducts(host, started.start, kind))
    for (const owned of [a, b, started.out]) owned.dispose()
  })

  it('runs batches', async () => {
    const plan = await planGemm(device, { n: N, k: K, m: { max: 9 }, out: 'f32' })
    const { host, a, b } = operands(5, 'NT', 3)
    const spec = { dtype: 'f32', shape: [3, 5, N], gap: 0, accumulate: false, seed: 1 } as const
    const started = startOutput(device, spec)
    plan.run({ a, b, out: started.out })
    await device.defaultStream.synchronize()
    await expectProducts(started, expectedProducts(host, started.start, kind))
    for (const owned of [a, b, started.out]) owned.dispose()
  })

  it('tells its configs and what it was planned for', async () => {
    const plan = await planGemm(device, { n: N, k: K, m: { max: 9 } })
    expect(plan.spec).toEqual({
      form: 'NT',
      n: N,
      k: K,
      m: { max: 9 },
      out: 'bf16',
      accumulate: false,
      recipeB: '128x128',
      tune: false,
    })
    const names = plan.configs.map(configName)
    if (kind === 'cpu') expect(names).toEqual([`cpu/${device.architecture}/${device.parallelism}`])
    else for (const name of names) expect(name).toMatch(/^sm_90a\//)
    expect(names.length).toBeGreaterThan(0)
  })

  it('enqueues and returns: a read waits for the product', async () => {
    const plan = await planGemm(device, { n: N, k: K, m: { max: 90 }, out: 'f32' })
    const { host, a, b } = operands(90)
    const spec = { dtype: 'f32', shape: [90, N], gap: 0, accumulate: false, seed: 1 } as const
    const started = startOutput(device, spec)
    plan.run({ a, b, out: started.out })
    a.dispose()
    b.dispose()
    const [once, twice] = await Promise.all([started.out.toBytes(), started.out.toBytes()])
    expect(twice).toEqual(once)
    await expectProducts(started, expectedProducts(host, started.start, kind))
    started.out.dispose()
  })

  it('refuses products that it does not cover', async () => {
    const plan = await planGemm(device, { n: N, k: K, m: { max: 9 } })
    const { a, b } = operands(10)
    using out = device.zeros({ dtype: 'bf16', shape: [10, N] })
    await expectRefusal(() => plan.run({ a, b, out }), {
      error: ShapeError,
      given: `M 10, N ${N}, K ${K}`,
      allowed: 'M up to 9',
    })
    const other = await planGemm(device, { n: N + 8, k: K, m: { max: 100 } })
    await expectRefusal(() => other.run({ a, b, out }), {
      error: ShapeError,
      allowed: `N ${N + 8}`,
    })
    const wide = await planGemm(device, { n: N, k: K, m: { max: 100 }, form: 'TN' })
    await expectRefusal(() => wide.run({ a, b, out }), { error: ShapeError, allowed: '[K, M]' })
    a.dispose()
    b.dispose()
  })

  it('refuses outputs of other dtypes, shapes and devices, other operands and options', async () => {
    const plan = await planGemm(device, { n: N, k: K, m: { max: 9 }, out: 'f32' })
    const { a, b } = operands(4)
    using bf16 = device.zeros({ dtype: 'bf16', shape: [4, N] })
    await expectRefusal(() => plan.run({ a, b, out: bf16 }), {
      error: OptionError,
      given: 'bf16',
      allowed: 'f32',
    })
    using small = device.zeros({ dtype: 'f32', shape: [3, N] })
    await expectRefusal(() => plan.run({ a, b, out: small }), {
      error: ShapeError,
      given: `[3, ${N}]`,
    })
    await expectRefusal(() => plan.run({ a: b, b: a, out: small }), { error: RecipeError })
    await expectRefusal(() => plan.run({ a, b, out: small, weightsReady: 1 } as never), {
      error: OptionError,
      given: 'number',
    })
    await expectRefusal(() => plan.run({ a, b, output: small } as never), {
      error: OptionError,
      given: 'output',
    })
    await using second = await open()
    using far = second.zeros({ dtype: 'f32', shape: [4, N] })
    await expectRefusal(() => plan.run({ a, b, out: far }), {
      error: DeviceError,
      given: second.id,
    })
    const foreign = await planGemm(second, { n: N, k: K, m: { max: 9 }, out: 'f32' })
    await expectRefusal(() => foreign.run({ a, b, out: far }), {
      error: DeviceError,
      allowed: second.id,
    })
    const out = device.zeros({ dtype: 'f32', shape: [4, N], label: 'result' })
    out.dispose()
    const error = await expectRefusal(() => plan.run({ a, b, out }), { error: DisposedError })
    expect(error.message).toContain('result')
    a.dispose()
    b.dispose()
  })

  it.each([
    [{ n: -1, k: 1, m: { max: 1 } }, 'option n', '-1'],
    [{ n: 1, k: 1.5, m: { max: 1 } }, 'option k', '1.5'],
    [{ n: 1, k: 1, m: {} }, 'option m.max', 'undefined'],
    [{ n: 1, k: 1, m: { max: '4' } }, 'option m.max', '4'],
    [{ n: 1, k: 1, m: { max: 1 }, form: 'XX' }, 'option form', 'XX'],
    [{ n: 1, k: 1, m: { max: 1 }, out: 'f16' }, 'option out', 'f16'],
    [{ n: 1, k: 1, m: { max: 1 }, accumulate: 1 }, 'option accumulate', 'number'],
    [{ n: 1, k: 1, m: { max: 1 }, onProgress: true }, 'option onProgress', 'boolean'],
    [{ n: 1, k: 1, m: { max: 1 }, dtype: 'f32' }, 'unknown option', 'dtype'],
  ])('is not made for %o', async (spec, subject, given) => {
    const error = await expectRefusal(() => planGemm(device, spec as GemmPlanSpec), {
      error: OptionError,
      given,
    })
    expect(error.message).toContain(subject)
  })
})
