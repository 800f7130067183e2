import type { Tensor } from '@deepgemm/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { counting } from './support/memory-storage.js'

/** Nested arrays of numbers: a model of a tensor that knows no strides. */
type Nested = number | Nested[]

function nested(shape: readonly number[], next: () => number): Nested {
  const [extent, ...rest] = shape
  if (extent === undefined) return next()
  return Array.from({ length: extent }, () => nested(rest, next))
}

function sliceNested(value: Nested, dim: number, start: number, end: number): Nested {
  const list = value as Nested[]
  if (dim === 0) return list.slice(start, end)
  return list.map((item) => sliceNested(item, dim - 1, start, end))
}

/** Exchanges the last two of `rank` dimensions, of which the last has `extent` elements. */
function transposeNested(value: Nested, rank: number, extent: number): Nested {
  const list = value as Nested[]
  if (rank > 2) return list.map((item) => transposeNested(item, rank - 1, extent))
  return Array.from({ length: extent }, (_, i) => list.map((row) => (row as Nested[])[i] as Nested))
}

type Step = { kind: 'slice'; dim: number; from: number; to: number } | { kind: 'transpose' }

const fraction = fc.double({ min: 0, max: 1, noNaN: true })
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('slice' as const), dim: fraction, from: fraction, to: fraction }),
    fc.record({ kind: fc.constant('transpose' as const) }),
  ),
  { maxLength: 5 },
)

function apply(step: Step, tensor: Tensor, model: Nested): [Tensor, Nested] {
  const { shape } = tensor
  if (step.kind === 'transpose') {
    const model2 = transposeNested(model, shape.length, shape.at(-1) as number)
    return [tensor.transpose(), model2]
  }
  const dim = Math.min(Math.floor(step.dim * shape.length), shape.length - 1)
  const ends = [step.from, step.to].map((x) => Math.round(x * (shape[dim] as number)))
  const [start, end] = ends.sort((x, y) => x - y) as [number, number]
  return [tensor.slice(dim, start, end), sliceNested(model, dim, start, end)]
}

describe('chains of views', () => {
  it('show what the same steps on nested arrays show', async () => {
    const shapes = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 2, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(shapes, steps, async (shape, chain) => {
        let count = 0
        let tensor: Tensor = counting('u16', shape)
        let model = nested(shape, () => count++)
        for (const step of chain) [tensor, model] = apply(step, tensor, model)
        const expected = (model as number[]).flat(Number.POSITIVE_INFINITY)
        expect([...(await tensor.toFloat32Array())]).toEqual(expected)
        if (tensor.isContiguous) {
          expect([...(await tensor.reshape([tensor.size]).toFloat32Array())]).toEqual(expected)
        }
      }),
      { numRuns: 300 },
    )
  })
})
