import {
  DeviceError,
  DTypeError,
  LayoutError,
  OptionError,
  requireInteger,
  requireKnownOptions,
  requireOneOf,
  requireOutput,
  requireOutputOptions,
  ShapeError,
  Tensor,
} from '@deepgemm/core'
import { describe, expect, it } from 'vitest'
import { blank, MemoryStorage } from './support/memory-storage.js'
import { expectRefusal, refusal } from './support/refusal.js'

describe('options', () => {
  it('are refused when misspelled', () => {
    requireKnownOptions('gemm', { out: 1 }, ['out', 'stream'])
    requireKnownOptions('gemm', {}, [])
    expectRefusal(() => requireKnownOptions('gemm', { oout: 1 }, ['out', 'stream']), OptionError, {
      given: 'oout',
      allowed: 'out, stream',
    })
  })

  it.each([
    ['null', null],
    ['string', 'cpu'],
    ['undefined', undefined],
  ])('are refused when they are %s instead of an object', (given, options) => {
    expectRefusal(() => requireKnownOptions('gemm', options as never, ['out']), OptionError, {
      given,
      allowed: 'an object with out',
    })
  })

  it('are integers within their range', () => {
    expect([requireInteger('n', 1, 1, 4), requireInteger('n', 4, 1, 4)]).toEqual([1, 4])
    expect(requireInteger('n', 2 ** 53 - 1, 0)).toBe(2 ** 53 - 1)
    for (const value of [0, 5, 1.5, Number.NaN, '2', undefined, 2n]) {
      expectRefusal(() => requireInteger('n', value, 1, 4), OptionError, {
        given: String(value),
        allowed: 'an integer from 1 to 4',
      })
    }
  })

  it('are one of the known words', () => {
    expect(requireOneOf('x', 'b', ['a', 'b'])).toBe('b')
    expectRefusal(() => requireOneOf('x', 'c', ['a', 'b']), OptionError, {
      given: 'c',
      allowed: 'a, b',
    })
  })
})

describe('output options', () => {
  const out = blank('f32', [2, 2])

  it('choose the dtype of the output', () => {
    expect(requireOutputOptions({}, 'bf16')).toEqual({ out: 'bf16', accumulate: false })
    expect(requireOutputOptions({ outDType: 'f32' }, 'bf16').out).toBe('f32')
    expect(requireOutputOptions({ out, accumulate: true }, 'bf16')).toEqual({
      out: 'f32',
      accumulate: true,
    })
    expect(requireOutputOptions({ out, outDType: 'f32' }, 'bf16').out).toBe('f32')
  })

  it('cannot accumulate into nothing', () => {
    const error = refusal(() => requireOutputOptions({ accumulate: true }, 'bf16'))
    expect(error).toBeInstanceOf(OptionError)
    expect(error).toMatchObject({
      given: 'accumulate without out',
      remedy: expect.stringContaining('as out'),
    })
  })

  it('cannot disagree', () => {
    const error = refusal(() => requireOutputOptions({ out, outDType: 'bf16' }, 'bf16'))
    expect(error).toBeInstanceOf(OptionError)
    expect(error).toMatchObject({ given: 'an f32 tensor and bf16' })
  })

  it('name a dtype that a product can be written in', () => {
    const f64 = blank('f64', [1, 1])
    expectRefusal(() => requireOutputOptions({ out: f64 }, 'bf16'), DTypeError, {
      given: 'f64',
      allowed: 'bf16, f32',
    })
  })
})

describe('an output', () => {
  const device = blank('f32', [0]).device
  const strided = (shape: number[], strides: number[]): Tensor =>
    new Tensor(new MemoryStorage(4096), { dtype: 'f32', shape, strides })

  it('may have gaps between rows and groups', () => {
    requireOutput(blank('bf16', [3, 4]), [3, 4], device)
    requireOutput(strided([3, 4], [7, 1]), [3, 4], device)
    requireOutput(strided([2, 3, 4], [50, 7, 1]), [2, 3, 4], device)
    requireOutput(strided([2, 3, 4], [18, 7, 1]), [2, 3, 4], device)
  })

  it('may be empty or a single column', () => {
    requireOutput(strided([0, 4], [0, 1]), [0, 4], device)
    requireOutput(strided([2, 0, 4], [0, 0, 1]), [2, 0, 4], device)
    requireOutput(strided([3, 1], [2, 5]), [3, 1], device)
  })

  it('has the shape and a dtype of the product', () => {
    expectRefusal(() => requireOutput(blank('f32', [4, 3]), [3, 4], device), ShapeError, {
      given: '[4, 3]',
      allowed: '[3, 4]',
    })
    expectRefusal(() => requireOutput(blank('f16', [3, 4]), [3, 4], device), DTypeError, {
      given: 'f16',
      allowed: 'bf16, f32',
    })
  })

  it('has its rows in one piece, and apart from one another', () => {
    const refused = (tensor: Tensor, given: string, allowed: string): void =>
      expectRefusal(() => requireOutput(tensor, tensor.shape, device), LayoutError, {
        given,
        allowed,
      })
    refused(strided([3, 4], [1, 3]), 'strides [1, 3]', 'an innermost stride of 1')
    refused(strided([3, 4], [3, 1]), 'a stride of 3', 'at least 4')
    refused(strided([3, 4], [0, 1]), 'a stride of 0', 'at least 4')
    refused(strided([2, 3, 4], [17, 7, 1]), 'a stride of 17', 'at least 18')
  })

  it('is live and on the device of the operands', () => {
    const tensor = blank('f32', [3, 4], 'cuda:0')
    expectRefusal(() => requireOutput(tensor, [3, 4], device), DeviceError, {
      given: 'cuda:0',
      allowed: 'cpu:0',
    })
    tensor.dispose()
    expect(refusal(() => requireOutput(tensor, [3, 4], device)).code).toBe('ERR_DISPOSED')
  })
})
