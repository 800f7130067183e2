import {
  DeviceError,
  DisposedError,
  DTypeError,
  LayoutError,
  OptionError,
  RecipeError,
  ShapeError,
} from '@deepgemm/core'
import { fp8GemmNN, fp8GemmNT, fp8GemmTN, fp8GemmTT } from '@deepgemm/dense'
import { Device } from '@deepgemm/runtime'
import { availableDevices, expectRefusal, randomQuantized, upload } from '@deepgemm/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

type Recipe = Parameters<typeof randomQuantized>[1]['recipe']

describe.each(await availableDevices(Device))('products on $kind refuse', ({ open }) => {
  let device: Device

  beforeAll(async () => {
    device = await open()
  })

  afterAll(async () => {
    await device.dispose()
  })

  function operand(rows: number, cols: number, recipe: Recipe, groups?: number) {
    const one = randomQuantized(1, { rows, cols, recipe })
    return upload(device, groups === undefined ? one : new Array(groups).fill(one))
  }

  it('values of the wrong kind, as JavaScript callers may pass them', async () => {
    using a = operand(4, 128, '1x128')
    using b = operand(5, 128, '128x128')
    const call =
      (...args: unknown[]) =>
      () =>
        fp8GemmNT(...(args as Parameters<typeof fp8GemmNT>))
    const missing = { error: DTypeError, given: 'undefined', allowed: 'a QuantizedTensor' }
    await expectRefusal(call(undefined, b), missing)
    await expectRefusal(call(a), missing)
    await expectRefusal(call(a, b.values), { error: DTypeError, given: 'Tensor' })
    await expectRefusal(call(a, b, { out: {} }), { error: OptionError, allowed: 'a Tensor' })
    await expectRefusal(call(a, b, { accumulate: 1 }), { error: OptionError, given: 'number' })
    await expectRefusal(call(a, b, { stream: {} }), { error: OptionError, allowed: 'a stream' })
    await expectRefusal(call(a, b, null), { error: OptionError, given: 'null' })
  })

  it('operands that disagree in K', async () => {
    using a = operand(4, 128, '1x128')
    using b = operand(5, 129, '128x128')
    await expectRefusal(() => fp8GemmNT(a, b), {
      error: ShapeError,
      given: 'A [4, 128] and B [5, 129]',
      allowed: 'A [M, K] and B [N, K]',
    })
    await expectRefusal(() => fp8GemmNN(a, b), { error: ShapeError, allowed: 'B [K, N]' })
    await expectRefusal(() => fp8GemmTN(a, b), { error: ShapeError, allowed: 'A [K, M]' })
    await expectRefusal(() => fp8GemmTT(a, b), { error: ShapeError, allowed: 'B [N, K]' })
  })

  it('scales whose blocks do not run along K', async () => {
    using row = operand(128, 128, '1x128')
    using column = operand(128, 128, '128x1')
    using block = operand(128, 128, '128x128')
    const refusal = (given: string, allowed: string) => ({ error: RecipeError, given, allowed })
    await expectRefusal(() => fp8GemmNT(block, row), refusal('128x128', '1x128'))
    await expectRefusal(() => fp8GemmNT(column, row), refusal('128x1', '1x128'))
    await expectRefusal(() => fp8GemmNT(row, column), refusal('128x1', '128x128 or 1x128'))
    await expectRefusal(() => fp8GemmNN(row, row), refusal('1x128', '128x128 or 128x1'))
    await expectRefusal(() => fp8GemmTN(row, block), refusal('1x128', '128x1'))
    await expectRefusal(() => fp8GemmTT(column, column), refusal('128x1', '128x128 or 1x128'))
  })

  it('a matrix beside a batch, and batches of other sizes', async () => {
    using one = operand(4, 128, '1x128')
    using two = operand(4, 128, '1x128', 2)
    using three = operand(4, 128, '1x128', 3)
    for (const [a, b] of [
      [one, two],
      [two, one],
      [two, three],
    ] as const) {
      await expectRefusal(() => fp8GemmNT(a, b), {
        error: ShapeError,
        allowed: 'the same leading dimension',
      })
    }
  })

  it('outputs of another shape, dtype or stride', async () => {
    using a = operand(4, 128, '1x128')
    using b = operand(5, 128, '128x128')
    using narrow = device.zeros({ dtype: 'bf16', shape: [4, 4] })
    await expectRefusal(() => fp8GemmNT(a, b, { out: narrow }), {
      error: ShapeError,
      given: '[4, 4]',
      allowed: '[4, 5]',
    })
    using half = device.zeros({ dtype: 'f16', shape: [4, 5] })
    await expectRefusal(() => fp8GemmNT(a, b, { out: half }), {
      error: DTypeError,
      given: 'f16',
      allowed: 'bf16, f32',
    })
    using turned = device.zeros({ dtype: 'bf16', shape: [5, 4] })
    await expectRefusal(() => fp8GemmNT(a, b, { out: turned.transpose() }), {
      error: LayoutError,
      given: 'strides [1, 4]',
      allowed: 'an innermost stride of 1',
    })
  })

  it('outputs whose rows or groups overlap', async () => {
    const { Tensor } = await import('@deepgemm/core')
    using a = operand(4, 128, '1x128', 2)
    using whole = device.zeros({ dtype: 'bf16', shape: [100] })
    const { storage } = whole
    const rows = new Tensor(storage, { dtype: 'bf16', shape: [2, 4, 4], strides: [16, 3, 1] })
    await expectRefusal(() => fp8GemmNT(a, a, { out: rows }), {
      error: LayoutError,
      given: 'a stride of 3',
      allowed: 'at least 4',
    })
    const groups = new Tensor(storage, { dtype: 'bf16', shape: [2, 4, 4], strides: [15, 4, 1] })
    await expectRefusal(() => fp8GemmNT(a, a, { out: groups }), {
      error: LayoutError,
      given: 'a stride of 15',
      allowed: 'at least 16',
    })
  })

  it('options that do not exist or contradict one another', async () => {
    using a = operand(4, 128, '1x128')
    using out = device.zeros({ dtype: 'f32', shape: [4, 4] })
    const act = (options: object) => () => fp8GemmNT(a, a, options)
    await expectRefusal(act({ outDtype: 'f32' }), {
      error: OptionError,
      given: 'outDtype',
      allowed: 'outDType',
    })
    await expectRefusal(act({ accumulate: true }), { error: OptionError, given: 'without out' })
    await expectRefusal(act({ out, outDType: 'bf16' }), {
      error: OptionError,
      given: 'an f32 tensor and bf16',
    })
    await expectRefusal(act({ outDType: 'f64' }), {
      error: DTypeError,
      given: 'f64',
      allowed: 'bf16, f32',
    })
  })

  it('operands, outputs and streams of different devices', async () => {
    await using other = await open()
    using a = operand(4, 128, '1x128')
    using b = upload(other, randomQuantized(1, { rows: 4, cols: 128, recipe: '1x128' }))
    await expectRefusal(() => fp8GemmNT(a, b), {
      error: DeviceError,
      given: `${device.id} and ${other.id}`,
      allowed: 'one device',
    })
    using out = other.zeros({ dtype: 'bf16', shape: [4, 4] })
    const refusal = { error: DeviceError, given: other.id, allowed: device.id }
    await expectRefusal(() => fp8GemmNT(a, a, { out }), refusal)
    await expectRefusal(() => fp8GemmNT(a, a, { stream: other.defaultStream }), refusal)
  })

  it('what was disposed, naming it and keeping nothing', async () => {
    using a = operand(4, 128, '1x128')
    const gone = operand(4, 128, '1x128')
    gone.scales.dispose()
    const before = device.memory().liveBytes
    for (const act of [() => fp8GemmNT(a, gone), () => fp8GemmNT(gone, a)]) {
      const error = await expectRefusal(act, { error: DisposedError })
      expect(error.message).toMatch(/f32 tensor.* was disposed/)
    }
    gone.dispose()
    await expectRefusal(() => fp8GemmNT(a, gone), { error: DisposedError })
    const out = device.zeros({ dtype: 'bf16', shape: [4, 4], label: 'logits' })
    out.dispose()
    const error = await expectRefusal(() => fp8GemmNT(a, a, { out }), { error: DisposedError })
    expect(error.message).toContain('logits')
    const stream = device.createStream('gone')
    stream.dispose()
    await expectRefusal(() => fp8GemmNT(a, a, { stream }), { error: DisposedError })
    expect(device.memory().liveBytes).toBeLessThan(before)
  })

  it('devices that were disposed', async () => {
    const closed = await open()
    const a = upload(closed, randomQuantized(1, { rows: 4, cols: 128, recipe: '1x128' }))
    await closed.dispose()
    const error = await expectRefusal(() => fp8GemmNT(a, a), { error: DisposedError })
    expect(error.message).toContain(closed.id)
    a.dispose()
  })
})
