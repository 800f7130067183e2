import {
  DeviceError,
  DTypeError,
  GroupError,
  LayoutError,
  type QuantizedTensor,
  ShapeError,
  type Tensor,
} from '@deepgemm/core'
import {
  type GroupedGemmPlan,
  groupedGemmKGrouped,
  type KGroupedMatrix,
  KGroupedTensor,
  type MoeLayer,
  planGroupedGemm,
  planPermutation,
  quantizeKGrouped,
  route,
} from '@deepgemm/moe'
import { allocateQuantized, Device } from '@deepgemm/runtime'
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import { expectError } from './support/errors.js'

describe('the types', () => {
  it('ask each layout for its own operands', () => {
    type Run<L extends 'packed' | 'k-grouped'> = Parameters<GroupedGemmPlan<L>['run']>[0]
    expectTypeOf<Run<'packed'>['a']>().toEqualTypeOf<QuantizedTensor>()
    expectTypeOf<Run<'k-grouped'>['a']>().toEqualTypeOf<KGroupedMatrix>()
    expectTypeOf<Run<'packed'>['groups']>().toEqualTypeOf<Tensor<'i32'>>()
  })

  it('let a run of the layer be enqueued without waiting', () => {
    expectTypeOf<ReturnType<MoeLayer['run']>>().not.toExtend<Promise<unknown>>()
  })
})

describe('a k-grouped tensor', () => {
  let device: Device

  beforeAll(async () => {
    device = await Device.open({ kind: 'cpu' })
  })
  afterAll(() => device.dispose())

  const e4m3 = (...shape: number[]): Tensor => device.zeros({ dtype: 'e4m3', shape })
  const f32 = (...shape: number[]): Tensor => device.zeros({ dtype: 'f32', shape })

  it('refuses values and scales that do not belong together', async () => {
    const make = (values: Tensor, scales: Tensor) => () => new KGroupedTensor(values, scales)
    await expectError(make(f32(4, 128), f32(1, 4)), DTypeError, 'values', 'f32')
    await expectError(make(e4m3(4, 128), e4m3(1, 4)), DTypeError, 'scales', 'e4m3')
    await expectError(make(e4m3(4, 128), f32(4, 1)), ShapeError, '[4, 128]', '[4, 1]')
    await expectError(make(e4m3(128, 4).transpose(), f32(1, 4)), LayoutError, 'back to back')
    const other = await Device.open({ kind: 'cpu' })
    const foreign = other.zeros({ dtype: 'f32', shape: [1, 4] })
    await expectError(make(e4m3(4, 128), foreign), DeviceError, other.id)
    await other.dispose()
  })

  it('is refused beside one of another device', async () => {
    const other = await Device.open({ kind: 'cpu' })
    const x = { data: new Float32Array(4 * 128), shape: [4, 128] }
    const [a, b] = [
      await quantizeKGrouped(device, x, [128]),
      await quantizeKGrouped(other, x, [128]),
    ]
    const run = () => groupedGemmKGrouped(a, b, Int32Array.of(128))
    await expectError(run, DeviceError, device.id, other.id)
    const crowd = new Int32Array(65537)
    await expectError(() => groupedGemmKGrouped(a, a, crowd), GroupError, '65537', '65536')
    await other.dispose()
  })

  it('frees values and scales together, as other results do', async () => {
    const own = await Device.open({ kind: 'cpu' })
    const x = { data: new Float32Array(4 * 128), shape: [4, 128] }
    const logits = own.zeros({ dtype: 'f32', shape: [3, 4] })
    const q = await quantizeKGrouped(own, x, [128])
    const routing = await route(logits, { topK: 2 })
    const plans = await Promise.all(
      (['packed', 'contiguous', 'masked'] as const).map((layout) =>
        planPermutation(routing.indices, { layout, experts: 4 }),
      ),
    )
    for (const owner of [q, routing, ...plans]) owner[Symbol.dispose]()
    logits.dispose()
    expect(own.memory()).toEqual({ liveBytes: 0, buffers: [] })
    await own.dispose()
  })
})

describe('a plan', () => {
  it('is refused operands of another device', async () => {
    const [one, two] = [await Device.open({ kind: 'cpu' }), await Device.open({ kind: 'cpu' })]
    const spec = { layout: 'packed', groups: 1, n: 8, k: 128, m: { max: 4 } } as const
    const plan = await planGroupedGemm(one, spec)
    const a = allocateQuantized(two, { shape: [4, 128], recipe: '1x128' })
    const b = allocateQuantized(two, { shape: [1, 8, 128], recipe: '128x128' })
    const out = two.zeros({ dtype: 'bf16', shape: [4, 8] })
    const groups = two.tensor(Int32Array.of(0, 4), { dtype: 'i32', shape: [2] })
    await expectError(() => plan.run({ a, b, out, groups }), DeviceError, two.id, one.id)
    for (const device of [one, two]) await device.dispose()
  })
})
