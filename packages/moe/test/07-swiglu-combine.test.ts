import { DTypeError, LayoutError, OptionError, ShapeError, type Tensor } from '@deepgemm/core'
import { combine, planPermutation, type RowGroups, swiglu, swigluQuantize } from '@deepgemm/moe'
import { Device } from '@deepgemm/runtime'
import {
  availableDevices,
  createRandom,
  download,
  expectClose,
  expectOutput,
  expertIndices,
  normalArray,
  outputNumbers,
  referenceCombine,
  referenceQuantize,
  referenceSwiglu,
  seeds,
} from '@deepgemm/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { disposeAll } from './support/dispose.js'
import { expectError } from './support/errors.js'

const floats = fc.constantFrom<'f32' | 'bf16'>('f32', 'bf16')

describe.each(await availableDevices(Device))('swiglu on $kind', (kind) => {
  let device: Device

  beforeAll(async () => {
    device = await kind.open()
  })
  afterAll(() => device.dispose())

  const i32 = (...values: number[]): Tensor<'i32'> =>
    device.tensor(Int32Array.from(values), { dtype: 'i32', shape: [values.length] })

  const cases = fc.record({
    rows: fc.constantFrom(0, 1, 7, 40),
    columns: fc.constantFrom(1, 5, 128, 200),
    input: floats,
    out: floats,
    deviation: fc.constantFrom(0.1, 3, 60),
    seed: seeds(),
  })

  it('is silu(gate) · up as in float64', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ rows, columns, input, out, deviation, seed }) => {
        const numbers = normalArray(createRandom(seed), rows * 2 * columns, deviation)
        const x = device.tensor(numbers, { dtype: input, shape: [rows, 2 * columns] })
        const y = await swiglu(x, { outDType: out })
        const given = outputNumbers(await x.toBytes(), input)
        const result = outputNumbers(await y.toBytes(), out)
        expectClose(result, referenceSwiglu(given, [rows, columns]), { out })
        disposeAll(x, y)
      }),
      { numRuns: 100 },
    )
  })

  it('quantises exactly what it would have written as f32', async () => {
    const formats = fc.constantFrom<'f32' | 'ue8m0'>('f32', 'ue8m0')
    await fc.assert(
      fc.asyncProperty(cases, formats, async (spec, scaleDType) => {
        const { rows, columns, input, deviation, seed } = spec
        const numbers = normalArray(createRandom(seed), rows * 2 * columns, deviation)
        const x = device.tensor(numbers, { dtype: input, shape: [rows, 2 * columns] })
        const [y, q] = [
          await swiglu(x, { outDType: 'f32' }),
          await swigluQuantize(x, { scaleDType }),
        ]
        const activation = await y.toFloat32Array()
        const expected = referenceQuantize(activation, [rows, columns], '1x128', { scaleDType })
        const [got] = await download(q)
        expect(got?.codes).toEqual(expected.codes)
        expect(got?.grid).toEqual(expected.grid)
        disposeAll(x, y, q)
      }),
      { numRuns: 60 },
    )
  })

  it('computes only rows that hold data', async () => {
    const numbers = new Float32Array(6 * 4).fill(1)
    const flat = device.tensor(numbers, { dtype: 'f32', shape: [6, 4] })
    const batch = flat.reshape([2, 3, 4])
    const held = async (x: Tensor, groups: RowGroups): Promise<number[]> => {
      const y = await (await swiglu(x, { groups, outDType: 'f32' })).toFloat32Array()
      const q = await (await swigluQuantize(x, { groups })).values.toBytes()
      const rows = [0, 1, 2, 3, 4, 5].filter((row) => y[2 * row] !== 0)
      expect([0, 1, 2, 3, 4, 5].filter((row) => q[2 * row] !== 0)).toEqual(rows)
      return rows
    }
    expect(await held(flat, { layout: 'packed', groups: i32(0, 3, 4) })).toEqual([0, 1, 2, 3])
    const index = i32(0, -1, 1, -1, -1, 1)
    expect(await held(flat, { layout: 'contiguous', groups: index })).toEqual([0, 2, 5])
    expect(await held(batch, { layout: 'masked', groups: i32(1, 2) })).toEqual([0, 3, 4])
  })

  it('refuses rows that are not gate and up', async () => {
    const odd = device.zeros({ dtype: 'f32', shape: [2, 5] })
    await expectError(() => swiglu(odd), ShapeError, '[2, 5]', 'even')
    const ints = device.zeros({ dtype: 'i32', shape: [2, 4] })
    await expectError(() => swigluQuantize(ints), DTypeError, 'i32')
    const flat = device.zeros({ dtype: 'f32', shape: [4] })
    await expectError(() => swiglu(flat), ShapeError, '[4]')
    const columns = device.zeros({ dtype: 'f32', shape: [4, 2] }).transpose()
    await expectError(() => swiglu(columns), LayoutError, 'innermost stride of 1')
  })

  it('refuses groups that do not describe the rows', async () => {
    const x = device.zeros({ dtype: 'f32', shape: [2, 3, 4] })
    const packed = { layout: 'packed', groups: i32(0, 3, 6) } as const
    await expectError(() => swiglu(x, { groups: packed }), ShapeError, 'packed', '[2, 3, 4]')
    const masked = { layout: 'masked', groups: i32(1, 2, 3) } as const
    await expectError(() => swiglu(x, { groups: masked }), ShapeError, '[3]', '[2]')
    const flat = x.reshape([6, 4])
    await expectError(() => swiglu(flat, { groups: masked }), ShapeError, 'masked', '[6, 4]')
  })

  it('refuses options it does not know', async () => {
    const x = device.zeros({ dtype: 'f32', shape: [2, 4] })
    await expectError(() => swiglu(x, { dtype: 'f32' } as never), OptionError, 'dtype')
    await expectError(() => swiglu(x, { outDType: 'e4m3' } as never), DTypeError, 'e4m3')
    const bad = { scaleDType: 'bf16' } as never
    await expectError(() => swigluQuantize(x, bad), OptionError, 'bf16')
  })
})

describe.each(await availableDevices(Device))('combine on $kind', (kind) => {
  let device: Device

  beforeAll(async () => {
    device = await kind.open()
  })
  afterAll(() => device.dispose())

  const cases = fc.record({
    layout: fc.constantFrom<'packed' | 'contiguous' | 'masked'>('packed', 'contiguous', 'masked'),
    tokens: fc.constantFrom(0, 1, 5, 20),
    topK: fc.integer({ min: 1, max: 8 }),
    columns: fc.constantFrom(1, 64, 130, 300),
    rowType: floats,
    out: floats,
    addend: fc.boolean(),
    holes: fc.boolean(),
    seed: seeds(),
  })

  it('sums up the weighted rows of every token as float64 does', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (spec) => {
        const { layout, tokens, topK, columns, rowType, out, seed } = spec
        const random = createRandom(seed)
        const chosen = expertIndices(seed, { tokens, topK, experts: 9 })
        if (spec.holes) for (const at of chosen.keys()) if (at % 3 === 0) chosen[at] = -1
        const indices = device.tensor(chosen, { dtype: 'i32', shape: [tokens, topK] })
        const plan = await planPermutation(indices, { layout, experts: 9 })
        const weights = device.tensor(normalArray(random, tokens * topK), {
          dtype: 'f32',
          shape: [tokens, topK],
        })
        const shape = layout === 'masked' ? [9, plan.maxRows, columns] : [plan.rows, columns]
        const rows = device.tensor(normalArray(random, plan.rows * columns), {
          dtype: rowType,
          shape,
        })
        const numbers = normalArray(random, tokens * columns)
        const extra = device.tensor(numbers, { dtype: rowType, shape: [tokens, columns] })
        const options = { outDType: out, ...(spec.addend && { addend: extra }) }
        const y = await combine(rows, plan, weights, options)
        const addend = spec.addend && { addend: outputNumbers(await extra.toBytes(), rowType) }
        const expected = referenceCombine({
          tokens,
          topK,
          columns,
          destination: await plan.destination.toFloat32Array(),
          weights: await weights.toFloat32Array(),
          rows: outputNumbers(await rows.toBytes(), rowType),
          ...addend,
        })
        expectOutput(await y.toBytes(), expected, { out })
        disposeAll(indices, plan, weights, rows, extra, y)
      }),
      { numRuns: 120 },
    )
  })

  it('refuses tensors that do not belong together', async () => {
    const indices = device.zeros({ dtype: 'i32', shape: [3, 2] })
    const plan = await planPermutation(indices, { layout: 'packed', experts: 4 })
    const weights = device.zeros({ dtype: 'f32', shape: [3, 2] })
    const rows = device.zeros({ dtype: 'bf16', shape: [6, 10] })
    const fewer = device.zeros({ dtype: 'bf16', shape: [5, 10] })
    await expectError(() => combine(fewer, plan, weights), ShapeError, '[5, 10]', '[6, columns]')
    const turned = device.zeros({ dtype: 'f32', shape: [2, 3] })
    await expectError(() => combine(rows, plan, turned), ShapeError, '[2, 3]', '[3, 2]')
    const addend = device.zeros({ dtype: 'bf16', shape: [3, 11] })
    await expectError(() => combine(rows, plan, weights, { addend }), ShapeError, '[3, 11]')
    const ints = device.zeros({ dtype: 'i32', shape: [6, 10] })
    await expectError(() => combine(ints, plan, weights), DTypeError, 'i32')
    const bad = { out: rows } as never
    await expectError(() => combine(rows, plan, weights, bad), OptionError, 'out')
  })
})
