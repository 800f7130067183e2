import {
  type DType,
  DTypeError,
  type GemmConfig,
  type GemmProblem,
  isDType,
  type OutDType,
  type QuantizedTensor,
  type Recipe,
  requireDType,
  requireOneOf,
  type ScaleDType,
  type ScaleOrientation,
  type Scales,
  type Storage,
  Tensor,
} from '@deepgemm/core'
import { expectTypeOf } from 'expect-type'
import { describe, it } from 'vitest'
import { blank, MemoryStorage } from './support/memory-storage.js'
import { expectRefusal } from './support/refusal.js'

// Checked by the compiler; at run time these only touch the values.
describe('types', () => {
  it('carry the dtype of a tensor through its views', () => {
    const tensor = blank('bf16', [2, 2])
    expectTypeOf(tensor).toEqualTypeOf<Tensor<'bf16'>>()
    expectTypeOf(tensor.dtype).toEqualTypeOf<'bf16'>()
    expectTypeOf(tensor.slice(0, 0, 1)).toEqualTypeOf<Tensor<'bf16'>>()
    expectTypeOf(tensor.reshape([4])).toEqualTypeOf<Tensor<'bf16'>>()
    expectTypeOf(tensor.transpose()).toEqualTypeOf<Tensor<'bf16'>>()
    expectTypeOf(tensor).toExtend<Tensor>()
    expectTypeOf<Tensor<'f32'>>().not.toExtend<Tensor<'bf16'>>()
  })

  it('refuse a dtype that does not exist', () => {
    const storage: Storage = new MemoryStorage(4)
    // @ts-expect-error: not a dtype
    const make = (): Tensor => new Tensor(storage, { dtype: 'f8', shape: [0] })
    expectRefusal(make, DTypeError, { given: 'f8', allowed: 'e4m3, e5m2' })
  })

  it('carry the format of scales', () => {
    expectTypeOf<Scales['dtype']>().toEqualTypeOf<ScaleDType>()
    expectTypeOf<Scales['recipe']>().toEqualTypeOf<Recipe>()
    expectTypeOf<Scales['orientation']>().toEqualTypeOf<ScaleOrientation>()
    expectTypeOf<Scales['tensor']>().toEqualTypeOf<Tensor<'f32' | 'ue8m0'>>()
    expectTypeOf<QuantizedTensor['values']>().toEqualTypeOf<Tensor<'e4m3'>>()
  })

  it('narrow what was checked', () => {
    const word: unknown = 'f32'
    if (isDType(word)) expectTypeOf(word).toEqualTypeOf<DType>()
    expectTypeOf(requireDType('X', 'f32', ['f32', 'bf16'])).toEqualTypeOf<'f32' | 'bf16'>()
    const chosen = requireOneOf('X', 'a', ['a', 'b'])
    expectTypeOf(chosen).toEqualTypeOf<'a' | 'b'>()
  })

  it('make problems and configs read-only', () => {
    expectTypeOf<GemmProblem['out']>().toEqualTypeOf<OutDType>()
    expectTypeOf<Readonly<GemmProblem>>().toEqualTypeOf<GemmProblem>()
    expectTypeOf<Readonly<GemmConfig>>().toEqualTypeOf<GemmConfig>()
  })

  it('let tensors and quantised tensors end with their block', () => {
    expectTypeOf<Tensor>().toExtend<Disposable>()
    expectTypeOf<QuantizedTensor>().toExtend<Disposable>()
  })
})
