import {
  DeviceError,
  DisposedError,
  DTypeError,
  LayoutError,
  OptionError,
  RecipeError,
  ShapeError,
} from '@deepgemm/core'
import {
  dequantize,
  enqueueQuantize,
  prepareQuantize,
  quantize,
  relayoutScales,
} from '@deepgemm/quant'
import { Device, type HostMatrix } from '@deepgemm/runtime'
import { availableDevices, expectRefusal } from '@deepgemm/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const good: HostMatrix = { data: new Float32Array(12), shape: [3, 4] }

describe.each(await availableDevices(Device))('casts on $kind refuse', ({ open }) => {
  let device: Device

  beforeAll(async () => {
    device = await open()
  })

  afterAll(async () => {
    expect(device.memory().buffers).toEqual([])
    await device.dispose()
  })

  it('to be prepared for what there is not', async () => {
    const refused = [
      [() => prepareQuantize(device, '2x2' as never), { error: RecipeError, given: '2x2' }],
      [
        () => prepareQuantize(device, '1x128', { dtype: 'e4m3' as never }),
        { error: DTypeError, given: 'e4m3', allowed: 'bf16' },
      ],
      [
        () => prepareQuantize(device, '1x128', { orientation: 'k-major' } as never),
        { error: OptionError, given: 'orientation' },
      ],
    ] as const
    for (const [act, refusal] of refused) await expectRefusal(act, refusal)
    expect(await prepareQuantize(device, '128x1', { transpose: false })).toBeUndefined()
  })

  it.each([
    ['vectors', { data: new Float32Array(4), shape: [4] }, { error: ShapeError, given: '[4]' }],
    [
      'rank 4',
      { data: new Float32Array(4), shape: [1, 1, 2, 2] },
      { error: ShapeError, allowed: '[groups, rows, columns]' },
    ],
    ['no shape', { data: new Float32Array(4) }, { error: ShapeError, given: 'undefined' }],
    [
      'negative extents',
      { data: new Float32Array(4), shape: [-2, -2] },
      { error: ShapeError, given: '[-2, -2]' },
    ],
    [
      'fractions of rows',
      { data: new Float32Array(4), shape: [0.5, 8] },
      { error: ShapeError, given: '[0.5, 8]' },
    ],
    [
      'data that does not fill the shape',
      { data: new Float32Array(5), shape: [2, 2] },
      { error: ShapeError, given: '5 elements for [2, 2]', allowed: '4 elements' },
    ],
    [
      'bits without a dtype',
      { data: new Uint16Array(4), shape: [2, 2] },
      { error: DTypeError, given: 'Uint16Array without dtype', allowed: 'bf16' },
    ],
    [
      'bits as f32',
      { data: new Uint16Array(4), shape: [2, 2], dtype: 'f32' },
      { error: DTypeError, given: 'Uint16Array', allowed: 'Float32Array' },
    ],
    [
      'dtypes that are no float matrices',
      { data: new Uint8Array(4), shape: [2, 2], dtype: 'e4m3' },
      { error: DTypeError, given: 'e4m3', allowed: 'f32, f16, bf16' },
    ],
    [
      'plain arrays',
      { data: [1, 2, 3, 4], shape: [2, 2], dtype: 'f32' },
      { error: DTypeError, given: 'Array', allowed: 'Float32Array' },
    ],
    [
      'shared memory',
      { data: new Float32Array(new SharedArrayBuffer(16)), shape: [2, 2] },
      { error: DTypeError, given: 'SharedArrayBuffer' },
    ],
  ] as const)('host data: %s', async (_, host, refusal) => {
    await expectRefusal(() => quantize(device, host as never, '1x128'), refusal)
    await expectRefusal(() => enqueueQuantize(device, host as never, '1x128'), refusal)
  })

  it('unknown recipes, formats, orientations and options', async () => {
    const act = (recipe: string, options: object) => () =>
      quantize(device, good, recipe as never, options)
    await expectRefusal(act('1x64', {}), {
      error: RecipeError,
      given: '1x64',
      allowed: '1x128, 128x128, 128x1',
    })
    await expectRefusal(act('1x128', { scaleDType: 'f16' }), {
      error: OptionError,
      given: 'f16',
      allowed: 'f32, ue8m0',
    })
    await expectRefusal(act('1x128', { orientation: 'row-major' }), {
      error: OptionError,
      given: 'row-major',
      allowed: 'k-major, mn-major',
    })
    await expectRefusal(act('1x128', { scaleDtype: 'f32' }), {
      error: OptionError,
      given: 'scaleDtype',
      allowed: 'scaleDType',
    })
  })

  it('tensors of other dtypes, ranks and strides', async () => {
    using codes = device.zeros({ dtype: 'e4m3', shape: [4, 4] })
    await expectRefusal(() => quantize(device, codes, '1x128'), {
      error: DTypeError,
      given: 'e4m3',
      allowed: 'f32, f16, bf16',
    })
    using x = device.zeros({ dtype: 'f32', shape: [4, 8] })
    await expectRefusal(() => quantize(device, x.transpose(), '1x128'), {
      error: LayoutError,
      given: 'strides [1, 8]',
      allowed: 'an innermost stride of 1',
    })
    await expectRefusal(() => quantize(device, x.reshape([32]), '1x128'), {
      error: ShapeError,
      given: '[32]',
    })
  })

  it('what was disposed, naming it', async () => {
    const x = device.zeros({ dtype: 'f32', shape: [4, 8], label: 'activations' })
    const q = await quantize(device, x, '1x128', { label: 'tokens' })
    x.dispose()
    const error = await expectRefusal(() => quantize(device, x, '1x128'), { error: DisposedError })
    expect(error.message).toContain('activations')
    q.scales.dispose()
    for (const act of [() => dequantize(q), () => relayoutScales(q, {})]) {
      expect((await expectRefusal(act, { error: DisposedError })).message).toContain(
        'tokens scales',
      )
    }
    q.dispose()
    await expectRefusal(() => dequantize(q), { error: DisposedError })
  })

  it('tensors and streams of another device', async () => {
    await using other = await open()
    using x = other.zeros({ dtype: 'f32', shape: [2, 2] })
    const refusal = { error: DeviceError, given: other.id, allowed: device.id }
    await expectRefusal(() => quantize(device, x, '1x128'), refusal)
    const stream = other.defaultStream
    await expectRefusal(() => quantize(device, good, '1x128', { stream }), refusal)
    using q = await quantize(device, good, '1x128')
    await expectRefusal(() => dequantize(q, { stream }), refusal)
    await expectRefusal(() => relayoutScales(q, { stream }), refusal)
  })

  it('disposed streams and devices, and keep nothing', async () => {
    const stream = device.createStream('gone')
    stream.dispose()
    using q = await quantize(device, good, '1x128')
    const before = device.memory().liveBytes
    for (const act of [
      () => quantize(device, good, '1x128', { stream }),
      () => enqueueQuantize(device, good, '1x128', { stream }),
      () => dequantize(q, { stream }),
      () => relayoutScales(q, { stream }),
    ]) {
      expect((await expectRefusal(act, { error: DisposedError })).message).toContain('gone')
    }
    expect(device.memory().liveBytes).toBe(before)
    const closed = await open()
    await closed.dispose()
    await expectRefusal(() => quantize(closed, good, '1x128'), { error: DisposedError })
  })

  it('values of the wrong kind, as JavaScript callers may pass them', async () => {
    const absent = undefined as never
    await expectRefusal(() => quantize(device, absent, '1x128'), {
      error: DTypeError,
      given: 'undefined',
      allowed: '{ data, shape, dtype }',
    })
    await expectRefusal(() => quantize(device, good, '1x128', { transpose: 'yes' as never }), {
      error: OptionError,
      allowed: 'true or false',
    })
    await expectRefusal(() => dequantize(absent), { error: DTypeError, given: 'undefined' })
    await expectRefusal(() => relayoutScales(absent, {}), { error: DTypeError })
    await expectRefusal(() => device.zeros(absent), { error: OptionError, given: 'undefined' })
  })

  it('options of dequantize and relayoutScales that do not exist', async () => {
    using q = await quantize(device, good, '1x128')
    await expectRefusal(() => dequantize(q, { dtype: 'e5m2' as never }), {
      error: DTypeError,
      given: 'e5m2',
      allowed: 'f32, f16, bf16',
    })
    await expectRefusal(() => dequantize(q, { type: 'f32' } as never), {
      error: OptionError,
      given: 'type',
      allowed: 'dtype, stream',
    })
    await expectRefusal(() => relayoutScales(q, { layout: 'k-major' } as never), {
      error: OptionError,
      given: 'layout',
    })
    await expectRefusal(() => relayoutScales(q, { orientation: 'm-major' } as never), {
      error: OptionError,
      allowed: 'k-major, mn-major',
    })
  })
})
