import type { GemmConfig, GemmWeights, OutDType, QuantizedTensor, Tensor } from '@deepgemm/core'
import {
  type fp8GemmNN,
  type fp8GemmNT,
  GemmPlan,
  type GemmPlanSpec,
  type planGemm,
} from '@deepgemm/dense'
import type { Stream } from '@deepgemm/runtime'
import { expectTypeOf } from 'expect-type'
import { describe, expect, it } from 'vitest'

describe('the types of dense', () => {
  it('take quantised operands and give a tensor', () => {
    expectTypeOf<typeof fp8GemmNT>().parameter(0).toEqualTypeOf<QuantizedTensor>()
    expectTypeOf<typeof fp8GemmNT>().parameter(1).toEqualTypeOf<GemmWeights>()
    expectTypeOf<typeof fp8GemmNN>().parameter(1).toEqualTypeOf<QuantizedTensor>()
    expectTypeOf<typeof fp8GemmNT>().returns.resolves.toEqualTypeOf<Tensor>()
    expectTypeOf<typeof fp8GemmNT>().toExtend<typeof fp8GemmNN>()
  })

  it('know the options and nothing else', () => {
    type Options = NonNullable<Parameters<typeof fp8GemmNT>[2]>
    expectTypeOf<keyof Options>().toEqualTypeOf<'out' | 'outDType' | 'accumulate' | 'stream'>()
    expectTypeOf<Options['outDType']>().toEqualTypeOf<OutDType | undefined>()
    expectTypeOf<OutDType>().toEqualTypeOf<'bf16' | 'f32'>()
    expectTypeOf<{ outDType: 'f16' }>().not.toExtend<Options>()
  })

  it('need N, K and a bound of M for a plan, which runs without a promise', () => {
    expectTypeOf<{ n: number; k: number; m: { max: number } }>().toExtend<GemmPlanSpec>()
    expectTypeOf<{ n: number; k: number }>().not.toExtend<GemmPlanSpec>()
    expectTypeOf<typeof planGemm>().returns.resolves.toEqualTypeOf<GemmPlan>()
    expectTypeOf<GemmPlan['run']>().returns.toEqualTypeOf<void>()
    expectTypeOf<GemmPlan['configs']>().toEqualTypeOf<readonly GemmConfig[]>()
    type Run = Parameters<GemmPlan['run']>[0]
    expectTypeOf<Run['stream']>().toEqualTypeOf<Stream | undefined>()
    expectTypeOf<Run['out']>().toEqualTypeOf<Tensor>()
    expect(GemmPlan).toBeTypeOf('function')
  })
})
