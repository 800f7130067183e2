import {
  DeviceError,
  DisposedError,
  DTypeError,
  LayoutError,
  OptionError,
  RecipeError,
  ShapeError,
  type Tensor,
} from '@deepgemm/core'
import { MoeLayer, type MoeLayerOptions } from '@deepgemm/moe'
import { allocateQuantized, Device } from '@deepgemm/runtime'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectError } from './support/errors.js'
import { type DeviceWeights, hostWeights, uploadWeights } from './support/layer-weights.js'

const SPEC = { experts: 8, hidden: 128, intermediate: 64, shared: 64, topK: 2, seed: 3 }

describe('a MoE layer', () => {
  let device: Device
  let weights: DeviceWeights

  beforeAll(async () => {
    device = await Device.open({ kind: 'cpu' })
    weights = uploadWeights(device, hostWeights(SPEC), SPEC)
  })
  afterAll(() => device.dispose())

  const create = (options: object = {}): Promise<MoeLayer> =>
    MoeLayer.create(device, { ...weights, topK: 2, maxTokens: 20, ...options } as MoeLayerOptions)
  const x = (count: number, width = 128): Tensor =>
    device.zeros({ dtype: 'bf16', shape: [count, width] })
  const quantized = (recipe: '1x128' | '128x128', ...shape: number[]) =>
    allocateQuantized(device, { shape, recipe })

  it('knows its extents and the memory it works in', async () => {
    const layer = await create()
    expect(layer.extents).toEqual({ experts: 8, hidden: 128, intermediate: 64, shared: 64 })
    expect([layer.topK, layer.maxTokens, layer.maxDecodeTokens]).toEqual([2, 20, 16])
    const workspace = device.memory().buffers.find(({ label }) => label === 'MoE workspace')
    expect(layer.workspaceBytes).toBe(workspace?.bytes)
    const larger = await create({ maxTokens: 4000 })
    expect(larger.workspaceBytes).toBeGreaterThan(10 * layer.workspaceBytes)
    for (const each of [layer, larger]) each.dispose()
  })

  it('gives its workspace back when it is disposed, and the weights not', async () => {
    const before = device.memory().liveBytes
    const layer = await create()
    const y = layer.run(x(3))
    layer.dispose()
    layer.dispose()
    await y.toBytes()
    expect(weights.experts.gateUp.values.storage.disposed).toBe(false)
    await expectError(() => layer.run(x(3)), DisposedError, 'MoE layer')
    expect(device.memory().liveBytes).toBeLessThan(before + layer.workspaceBytes)
  })

  it('quantises a float router and frees it with the rest', async () => {
    const router = device.zeros({ dtype: 'f32', shape: [8, 128] })
    const before = device.memory().liveBytes
    const layer = await create({ router })
    layer.dispose()
    // Less when garbage of other tests was collected meanwhile.
    expect(device.memory().liveBytes).toBeLessThanOrEqual(before)
  })

  it('converts ue8m0 weights once', async () => {
    const gateUp = allocateQuantized(device, {
      shape: [8, 128, 128],
      recipe: '128x128',
      scaleDType: 'ue8m0',
    })
    const layer = await create({ experts: { gateUp, down: weights.experts.down } })
    const before = device.memory().liveBytes
    const y = layer.run(x(3))
    expect(device.memory().liveBytes).toBeLessThanOrEqual(before + y.byteLength + 3 * 128 * 2)
  })

  it('refuses tokens it has no room for', async () => {
    const layer = await create()
    await expectError(() => layer.run(x(21)), ShapeError, '[21, 128]', 'at most 20 tokens of 128')
    await expectError(() => layer.run(x(2, 127)), ShapeError, '[2, 127]')
    const flat = device.zeros({ dtype: 'bf16', shape: [128] })
    await expectError(() => layer.run(flat), ShapeError, '[tokens, 128]')
    const ints = device.zeros({ dtype: 'i32', shape: [2, 128] })
    await expectError(() => layer.run(ints), DTypeError, 'i32')
    const turned = device
      .zeros({ dtype: 'bf16', shape: [128, 128] })
      .transpose()
      .slice(0, 0, 2)
    await expectError(() => layer.run(turned), LayoutError, 'innermost stride of 1')
    const gone = x(2)
    gone.dispose()
    await expectError(() => layer.run(gone), DisposedError)
  })

  it('refuses options of a run that are wrong', async () => {
    const layer = await create()
    await expectError(() => layer.run(x(2), { stram: 1 } as never), OptionError, 'stram')
    const logits = device.zeros({ dtype: 'f32', shape: [2, 7] })
    await expectError(() => layer.run(x(2), { logits }), ShapeError, '[2, 7]', '[2, 8]')
    await expectError(() => layer.run(x(2), { out: x(3) }), ShapeError, '[3, 128]', '[2, 128]')
    const other = await Device.open({ kind: 'cpu' })
    const foreign = other.zeros({ dtype: 'bf16', shape: [2, 128] })
    await expectError(() => layer.run(foreign), DeviceError, other.id)
    const stream = other.defaultStream
    await expectError(() => layer.run(x(2), { stream }), DeviceError, other.id)
    await other.dispose()
  })

  it('needs logits when it has no router', async () => {
    const { router: _, ...rest } = weights
    const layer = await MoeLayer.create(device, { ...rest, topK: 2, maxTokens: 4 })
    await expectError(() => layer.run(x(2)), OptionError, 'logits', 'router')
  })

  it('refuses weights that do not belong together', async () => {
    const { gateUp, down } = weights.experts
    const experts = (over: object) => ({ experts: { gateUp, down, ...over } })
    const refuse = (options: object, Class: typeof ShapeError, ...words: string[]) =>
      expectError(() => create(options), Class, ...words)
    await refuse(experts({ down: quantized('128x128', 8, 128, 65) }), ShapeError, '[8, 128, 64]')
    await refuse(experts({ down: quantized('128x128', 7, 128, 64) }), ShapeError, 'experts.down')
    await refuse(experts({ gateUp: quantized('128x128', 128, 128) }), ShapeError, 'experts.gateUp')
    await refuse(experts({ gateUp: quantized('1x128', 8, 128, 128) }), RecipeError, '1x128')
    await refuse({ router: quantized('1x128', 7, 128) }, ShapeError, 'router', '[8, 128]')
    await refuse({ router: x(7) }, ShapeError, 'router', '[8, 128]')
    const shared = { gateUp: quantized('128x128', 128, 64), down: quantized('128x128', 64, 64) }
    await refuse({ shared }, ShapeError, 'shared', '[2S, 128]')
  })

  it('refuses options it does not know or cannot follow', async () => {
    await expectError(() => create({ maxToken: 1 }), OptionError, 'maxToken')
    await expectError(() => create({ maxTokens: 0 }), OptionError, 'maxTokens', '0')
    await expectError(() => create({ maxDecodeTokens: 21 }), OptionError, 'maxDecodeTokens', '20')
    await expectError(() => create({ topK: 9 }), OptionError, 'topK', '9')
    await expectError(() => create({ topK: undefined }), OptionError, 'topK')
  })
})
