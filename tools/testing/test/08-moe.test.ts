import {
  createRandom,
  expectClose,
  normalArray,
  referenceCombine,
  referenceRoute,
  referenceSwiglu,
} from '@deepgemm/testing'
import { describe, expect, it } from 'vitest'

const round = Math.fround

describe('reference routing', () => {
  it('selects by logit and weighs by softmax over all experts', () => {
    const { indices, weights, margins } = referenceRoute({
      logits: [0, Math.log(3), Math.log(4), 0],
      tokens: 1,
      experts: 4,
      topK: 2,
      gating: 'softmax',
      normalize: false,
    })
    expect([...indices]).toEqual([2, 1])
    expect(weights[0]).toBeCloseTo(4 / 9, 12)
    expect(weights[1]).toBeCloseTo(3 / 9, 12)
    expect(margins[0]).toBe(Number.POSITIVE_INFINITY)
  })

  it('normalises over the selected experts and scales', () => {
    const input = { logits: [0, Math.log(3), 0, Math.log(2)], tokens: 1, experts: 4, topK: 2 }
    const softmax = referenceRoute({
      ...input,
      gating: 'softmax',
      scalingFactor: 10,
    })
    expect(softmax.weights[0]).toBeCloseTo(6, 12)
    expect(softmax.weights[1]).toBeCloseTo(4, 12)
    const sigmoid = referenceRoute({ ...input, gating: 'group-limited-sigmoid' })
    expect(sigmoid.weights[0]).toBeCloseTo(0.75 / (0.75 + 2 / 3), 12)
  })

  it('prefers the lower index of equal scores and ranks NaN last', () => {
    const base = { tokens: 1, experts: 4, topK: 4 }
    const logits = [Number.NaN, 1, 2, 1]
    for (const gating of ['softmax', 'group-limited-sigmoid'] as const) {
      expect([...referenceRoute({ ...base, logits, gating }).indices]).toEqual([2, 1, 3, 0])
    }
  })

  it('selects by biased score but weighs without the bias', () => {
    const { indices, weights } = referenceRoute({
      logits: [0, 0, 0, 0],
      bias: [0, 0, 1, 0.5],
      tokens: 1,
      experts: 4,
      topK: 2,
      gating: 'group-limited-sigmoid',
      normalize: false,
    })
    expect([...indices]).toEqual([2, 3])
    expect([...weights]).toEqual([0.5, 0.5])
  })

  it('limits the selection to the groups with the best two', () => {
    const input = {
      // Group 0 has the single best expert, group 1 the best pair.
      logits: [5, -9, -9, 2, 2, 1, -9, -9, 0],
      tokens: 1,
      experts: 9,
      topK: 3,
      gating: 'group-limited-sigmoid',
      groups: 3,
    } as const
    expect([...referenceRoute({ ...input, topGroups: 1 }).indices]).toEqual([3, 4, 5])
    expect([...referenceRoute({ ...input, topGroups: 2 }).indices]).toEqual([0, 3, 4])
  })

  it('fills up with experts of dropped groups, each once', () => {
    const { indices } = referenceRoute({
      logits: [3, 2, 1, 0],
      tokens: 1,
      experts: 4,
      topK: 4,
      gating: 'group-limited-sigmoid',
      groups: 4,
      topGroups: 1,
    })
    expect([...indices]).toEqual([0, 1, 2, 3])
  })

  it('tells how close a decision was, unless inputs were equal', () => {
    const marginOf = (logits: number[], extra = {}): number | undefined =>
      referenceRoute({
        logits,
        tokens: 1,
        experts: logits.length,
        topK: 1,
        gating: 'group-limited-sigmoid',
        ...extra,
      }).margins[0]
    expect(marginOf([0, 1e-6])).toBeCloseTo(2.5e-7, 9)
    expect(marginOf([0, 0])).toBe(Number.POSITIVE_INFINITY)
    const groups = { groups: 2, topGroups: 1 }
    expect(marginOf([1, 0, 1, 1e-6], groups)).toBeCloseTo(2.5e-7, 9)
  })

  it('bounds weights that f32 computes', () => {
    const [tokens, experts, topK] = [20, 64, 6]
    const logits = normalArray(createRandom(4), tokens * experts, 3)
    const { indices, weights, weightBounds } = referenceRoute({
      logits,
      tokens,
      experts,
      topK,
      gating: 'softmax',
      normalize: false,
    })
    indices.forEach((expert, slot) => {
      const row = logits.subarray(Math.floor(slot / topK) * experts).subarray(0, experts)
      const max = Math.max(...row)
      const powers = row.map((x) => round(Math.exp(round(x - max))))
      const sum = powers.reduce((total, x) => round(total + x), 0)
      const weight = round((powers[expert] as number) / sum)
      expect(Math.abs(weight - (weights[slot] as number))).toBeLessThanOrEqual(
        weightBounds[slot] as number,
      )
    })
    expect(Math.max(...weightBounds)).toBeLessThan(2e-5)
  })
})

describe('reference SwiGLU', () => {
  it('multiplies silu of the gate by up', () => {
    const { values } = referenceSwiglu([0, 2, -1, 3, 4, 5], [1, 3])
    expect(values[0]).toBe(0)
    expect(values[1]).toBeCloseTo(8 / (1 + Math.exp(-2)), 12)
    expect(values[2]).toBeCloseTo(-5 / (1 + Math.E), 12)
  })

  it('bounds f32 arithmetic, and little else', () => {
    const input = normalArray(createRandom(5), 40 * 64, 20)
    const reference = referenceSwiglu(input, [40, 32])
    const swiglu = (at: number, error: number): number => {
      const [row, col] = [Math.floor(at / 32), at % 32]
      const [gate, up] = [input[row * 64 + col] as number, input[row * 64 + 32 + col] as number]
      const power = round(Math.exp(-gate) * (1 + error))
      return round(round(gate / round(1 + power)) * up)
    }
    const compute = (error: number): Float32Array =>
      Float32Array.from(reference.values, (_, at) => swiglu(at, error))
    expectClose(compute(0), reference, { out: 'f32' })
    expectClose(compute(2 ** -23), reference, { out: 'f32' })
    expect(() => expectClose(compute(2 ** -19), reference, { out: 'f32' })).toThrow()
  })
})

describe('reference combine', () => {
  const input = {
    tokens: 2,
    topK: 2,
    columns: 2,
    destination: [1, 0, -1, 2],
    weights: [0.5, 2, 100, 1],
    rows: [1, 2, 10, 20, 7, 8],
  }

  it('sums weighted rows and skips those that are not there', () => {
    expect([...referenceCombine(input).values]).toEqual([7, 14, 7, 8])
  })

  it('adds what other experts made', () => {
    const { values, bounds } = referenceCombine({ ...input, addend: [1, 1, 1, 1] })
    expect([...values]).toEqual([8, 15, 8, 9])
    expect(bounds[0]).toBeGreaterThan(0)
    expect(bounds[0]).toBeLessThan(1e-5)
  })
})
