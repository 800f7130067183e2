import {
  DeviceError,
  DTypeError,
  LayoutError,
  QuantizedTensor,
  Scales,
  ShapeError,
  Tensor,
} from '@deepgemm/core'
import { describe, expect, it } from 'vitest'
import { blank, MemoryStorage } from './support/memory-storage.js'
import { operand } from './support/operands.js'
import { expectRefusal } from './support/refusal.js'

const scalesOf = (shape: readonly number[], id?: string): Scales =>
  new Scales(blank('f32', shape, id), { recipe: '1x128', orientation: 'k-major' })

describe('a quantised tensor', () => {
  it('is values with their scales', () => {
    const q = operand([5, 200], '128x128', { scaleDType: 'ue8m0' })
    expect(q).toMatchObject({ shape: [5, 200], recipe: '128x128' })
    expect(q.byteLength).toBe(5 * 200 + 2)
    expect(q.device.id).toBe('cpu:0')
    expect(operand([3, 5, 200], '1x128').scales.tensor.shape).toEqual([3, 5, 2])
  })

  it('disposes both', () => {
    const q = operand([1, 1], '1x128')
    q[Symbol.dispose]()
    expect([q.values.storage.disposed, q.scales.tensor.storage.disposed]).toEqual([true, true])
  })

  it('holds e4m3 and nothing else', () => {
    const make = (): unknown => new QuantizedTensor(blank('u8', [4, 4]), scalesOf([4, 1]))
    expectRefusal(make, DTypeError, { given: 'u8', allowed: 'e4m3' })
  })

  it.each([[[4]], [[2, 2, 2, 2]]])('has rank 2 or 3, not the shape %j', (shape) => {
    const make = (): unknown => new QuantizedTensor(blank('e4m3', shape), scalesOf([4, 1]))
    expectRefusal(make, ShapeError, { given: `[${shape.join(', ')}]`, allowed: '[rows, columns]' })
  })

  it('has rows without gaps inside, but may have gaps between them', () => {
    const values = blank('e4m3', [4, 8])
    expectRefusal(() => new QuantizedTensor(values.transpose(), scalesOf([8, 1])), LayoutError, {
      given: 'strides [1, 8]',
      allowed: 'an innermost stride of 1',
    })
    expect(new QuantizedTensor(values.slice(1, 2, 5), scalesOf([4, 1])).shape).toEqual([4, 3])
    const column = new Tensor(new MemoryStorage(8), {
      dtype: 'e4m3',
      shape: [4, 1],
      strides: [2, 2],
    })
    expect(new QuantizedTensor(column, scalesOf([4, 1])).shape).toEqual([4, 1])
  })

  it('has scales of its own shape', () => {
    const make = (): unknown => new QuantizedTensor(blank('e4m3', [4, 129]), scalesOf([4, 1]))
    expectRefusal(make, ShapeError, { given: '[4, 1]', allowed: '[4, 2]' })
  })

  it('lies on one device', () => {
    const make = (): unknown =>
      new QuantizedTensor(blank('e4m3', [4, 4]), scalesOf([4, 1], 'cuda:0'))
    expectRefusal(make, DeviceError, { given: 'cpu:0 and cuda:0', allowed: 'one device' })
  })
})
