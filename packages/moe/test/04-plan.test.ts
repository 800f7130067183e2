import {
  DTypeError,
  GroupError,
  OptionError,
  packedOffsets,
  ShapeError,
  type Tensor,
} from '@deepgemm/core'
import { groupedGemmPacked, planGroupedGemm, quantizeKGrouped } from '@deepgemm/moe'
import { allocateQuantized, Device } from '@deepgemm/runtime'
import { availableDevices, upload } from '@deepgemm/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectError } from './support/errors.js'
import { activations, plainCase, weights } from './support/grouped-cases.js'

describe.each(await availableDevices(Device))('a plan of a grouped product on $kind', (kind) => {
  let device: Device

  beforeAll(async () => {
    device = await kind.open()
  })
  afterAll(() => device.dispose())

  const spec = { layout: 'packed', groups: 3, n: 24, k: 144, m: { max: 60 } } as const
  const i32 = (...values: number[]): Tensor<'i32'> =>
    device.tensor(Int32Array.from(values), { dtype: 'i32', shape: [values.length] })

  it('runs any M up to its bound with the bits of the function', async () => {
    const plan = await planGroupedGemm(device, spec)
    for (const sizes of [
      [5, 0, 20],
      [60, 0, 0],
      [0, 0, 0],
    ]) {
      const problem = plainCase(sizes)
      const offsets = Int32Array.from(packedOffsets(sizes))
      const rows = offsets.at(-1) as number
      const a = upload(device, activations(problem, rows))
      const b = upload(device, weights(problem))
      const out = device.zeros({ dtype: 'bf16', shape: [rows, problem.n] })
      plan.run({ a, b, out, groups: i32(...offsets) })
      const expected = await groupedGemmPacked(a, b, offsets)
      expect(await out.toBytes()).toEqual(await expected.toBytes())
    }
  })

  it('enqueues: group data that is wrong shows at synchronize', async () => {
    const plan = await planGroupedGemm(device, { ...spec, validate: true })
    const a = allocateQuantized(device, { shape: [10, 144], recipe: '1x128' })
    const b = allocateQuantized(device, { shape: [3, 24, 144], recipe: '128x128' })
    const out = device.zeros({ dtype: 'bf16', shape: [10, 24] })
    const stream = device.createStream()
    plan.run({ a, b, out, groups: i32(0, 5, 4, 10), stream })
    await expectError(() => stream.synchronize(), GroupError, 'groupOffsets[2]')
    plan.run({ a, b, out, groups: i32(0, 5, 5, 10), stream })
    await stream.synchronize()
  })

  it('covers k-grouped products of any ΣK up to its bound', async () => {
    const plan = await planGroupedGemm(device, {
      layout: 'k-grouped',
      groups: 2,
      n: 8,
      k: 304,
      m: { max: 8 },
    })
    expect(plan.spec.out).toBe('f32')
    const data = new Float32Array(8 * 208).fill(1)
    const a = await quantizeKGrouped(device, { data, shape: [8, 208] }, [150, 58])
    const out = device.zeros({ dtype: 'f32', shape: [2, 8, 8] })
    plan.run({ a, b: a, out, groups: i32(150, 58) })
    const numbers = await out.toFloat32Array()
    expect(numbers[0]).toBeCloseTo(150, 3)
    expect(numbers[64]).toBeCloseTo(58, 3)
  })

  it('names its configs', async () => {
    const plan = await planGroupedGemm(device, spec)
    expect(plan.configs.length).toBeGreaterThan(0)
  })

  it('refuses problems it does not cover', async () => {
    const plan = await planGroupedGemm(device, spec)
    const b = allocateQuantized(device, { shape: [3, 24, 144], recipe: '128x128' })
    const run = (rows: number, out: Tensor) => () => {
      const a = allocateQuantized(device, { shape: [rows, 144], recipe: '1x128' })
      plan.run({ a, b, out, groups: i32(0, 0, 0, 0) })
    }
    const bf16 = (rows: number): Tensor => device.zeros({ dtype: 'bf16', shape: [rows, 24] })
    await expectError(run(61, bf16(61)), ShapeError, 'M 61', 'M up to 60')
    await expectError(run(60, bf16(59)), ShapeError, '[59, 24]')
    const f32 = device.zeros({ dtype: 'f32', shape: [60, 24] })
    await expectError(run(60, f32), DTypeError, 'f32', 'bf16')
  })

  it('refuses unknown options and values', async () => {
    const plan = (extra: object) => () => planGroupedGemm(device, { ...spec, ...extra } as never)
    await expectError(plan({ layuot: 1 }), OptionError, 'layuot')
    await expectError(plan({ layout: 'dense' }), OptionError, 'dense', 'packed')
    await expectError(plan({ n: -1 }), OptionError, 'n', '-1')
    await expectError(plan({ m: undefined }), OptionError, 'm.max')
    await expectError(plan({ out: 'f16' }), OptionError, 'f16')
  })
})
