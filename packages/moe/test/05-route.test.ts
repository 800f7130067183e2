import { DTypeError, OptionError, ShapeError, type Tensor } from '@deepgemm/core'
import { type RouteOptions, route } from '@deepgemm/moe'
import { Device } from '@deepgemm/runtime'
import {
  availableDevices,
  createRandom,
  normalArray,
  type RouteInput,
  referenceRoute,
  seeds,
} from '@deepgemm/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { disposeAll } from './support/dispose.js'
import { expectError } from './support/errors.js'

/** Scores closer than this may change places under f32 arithmetic. */
const LEAST_MARGIN = 1e-5
/** A few roundings of f32, relative. */
const WEIGHT_ERROR = 1e-5

const softmaxCases = fc
  .record({
    experts: fc.constantFrom(1, 2, 7, 8, 64, 160, 256),
    tokens: fc.constantFrom(0, 1, 3, 16, 17),
    k: fc.nat(),
    normalize: fc.boolean(),
    scalingFactor: fc.constantFrom(1, 2.5),
    seed: seeds(),
  })
  .map(({ k, ...rest }) => ({
    ...rest,
    gating: 'softmax' as const,
    topK: 1 + (k % Math.min(rest.experts, 8)),
  }))

const sigmoidCases = fc
  .record({
    groups: fc.constantFrom(1, 2, 4, 8),
    groupSize: fc.constantFrom(1, 2, 3, 8, 32),
    topGroups: fc.nat(),
    tokens: fc.constantFrom(0, 1, 3, 16, 17),
    k: fc.nat(),
    normalize: fc.boolean(),
    biased: fc.boolean(),
    scalingFactor: fc.constantFrom(1, 2.5),
    seed: seeds(),
  })
  .map(({ groupSize, k, biased, ...rest }) => {
    const experts = rest.groups * groupSize
    const topGroups = 1 + (rest.topGroups % rest.groups)
    const bias = biased ? normalArray(createRandom(~rest.seed), experts, 0.1) : undefined
    const topK = 1 + (k % Math.min(topGroups * groupSize, 8))
    const gating = 'group-limited-sigmoid' as const
    return { ...rest, gating, experts, topGroups, topK, ...(bias && { bias }) }
  })

describe.each(await availableDevices(Device))('route on $kind', (kind) => {
  let device: Device

  beforeAll(async () => {
    device = await kind.open()
  })
  afterAll(() => device.dispose())

  function logitsOf(numbers: Float32Array<ArrayBuffer>, experts: number): Tensor<'f32'> {
    return device.tensor(numbers, { dtype: 'f32', shape: [numbers.length / experts, experts] })
  }

  async function check(spec: Omit<RouteInput, 'logits'> & { seed: number }): Promise<void> {
    const { seed, tokens, experts, ...options } = spec
    const numbers = normalArray(createRandom(seed), tokens * experts, 2)
    const expected = referenceRoute({ ...spec, logits: numbers })
    const logits = logitsOf(numbers, experts || 1)
    const routing = await route(logits, options as RouteOptions)
    const indices = await routing.indices.toFloat32Array()
    const weights = await routing.weights.toFloat32Array()
    for (let token = 0; token < tokens; token++) {
      if ((expected.margins[token] as number) < LEAST_MARGIN) continue
      for (let at = token * spec.topK; at < (token + 1) * spec.topK; at++) {
        expect(indices[at]).toBe(expected.indices[at])
        const weight = expected.weights[at] as number
        expect(Math.abs((weights[at] as number) - weight)).toBeLessThanOrEqual(
          WEIGHT_ERROR * Math.abs(weight),
        )
      }
    }
    disposeAll(logits, routing)
  }

  it('selects and weighs by softmax as float64 does', async () => {
    await fc.assert(fc.asyncProperty(softmaxCases, check), { numRuns: 250 })
  })

  it('selects and weighs by group-limited sigmoid as float64 does', async () => {
    await fc.assert(fc.asyncProperty(sigmoidCases, check), { numRuns: 250 })
  })

  it('prefers the lower index among equal scores', async () => {
    const { indices } = await route(logitsOf(new Float32Array(2 * 16), 16), { topK: 4 })
    expect([...(await indices.toFloat32Array())]).toEqual([0, 1, 2, 3, 0, 1, 2, 3])
  })

  it.each(['softmax', 'group-limited-sigmoid'] as const)(
    'selects different experts whatever the logits are (%s)',
    async (gating) => {
      const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0, 1e38]
      const random = createRandom(5)
      const numbers = Float32Array.from(
        { length: 64 * 12 },
        () => odd[random.integer(0, 5)] as number,
      )
      const { indices } = await route(logitsOf(numbers, 12), { topK: 6, gating })
      const chosen = await indices.toFloat32Array()
      for (let token = 0; token < 64; token++) {
        const own = chosen.subarray(token * 6, (token + 1) * 6)
        expect(new Set(own).size).toBe(6)
        for (const expert of own) expect(expert).toBeLessThan(12)
      }
    },
  )

  it('reads bf16 and f16 logits, and rows with gaps', async () => {
    const numbers = Float32Array.from(
      { length: 8 },
      (_, i) => [3, 1, 4, 1.5, -5, 9, 2, 6][i] as number,
    )
    for (const dtype of ['bf16', 'f16'] as const) {
      const wide = device.tensor(numbers, { dtype, shape: [2, 4] })
      const { indices } = await route(wide.slice(1, 0, 3), { topK: 1 })
      expect([...(await indices.toFloat32Array())]).toEqual([2, 1])
    }
  })

  it('takes the bias from the host or the device', async () => {
    const logits = logitsOf(new Float32Array(4), 4)
    const bias = Float32Array.of(0, 0.5, 0, 1)
    const onDevice = device.tensor(bias, { dtype: 'f32', shape: [4] })
    for (const given of [bias, onDevice]) {
      const options = { topK: 2, gating: 'group-limited-sigmoid', bias: given } as const
      const { indices, weights } = await route(logits, options)
      expect([...(await indices.toFloat32Array())]).toEqual([3, 1])
      expect([...(await weights.toFloat32Array())]).toEqual([0.5, 0.5])
    }
  })

  it('refuses options that do not suit the experts', async () => {
    const logits = logitsOf(new Float32Array(12), 12)
    const run = (options: object) => () => route(logits, options as RouteOptions)
    const sigmoid = { gating: 'group-limited-sigmoid' }
    await expectError(run({ topK: 13 }), OptionError, 'topK', '13', '12')
    await expectError(run({ topK: 0 }), OptionError, 'topK')
    await expectError(run({}), OptionError, 'topK', 'undefined')
    await expectError(run({ topK: 1, gating: 'relu' }), OptionError, 'relu')
    await expectError(run({ topK: 1, groups: 2 }), OptionError, 'groups', 'softmax')
    await expectError(run({ topK: 1, ...sigmoid, groups: 5 }), OptionError, '5 groups of 12')
    await expectError(run({ topK: 4, ...sigmoid, groups: 4, topGroups: 1 }), OptionError, 'topK')
    await expectError(run({ topK: 1, ...sigmoid, groups: 2, topGroups: 3 }), OptionError, '3')
    await expectError(run({ topK: 1, scalingFactor: Number.NaN }), OptionError, 'NaN')
    await expectError(run({ topk: 1 }), OptionError, 'topk')
    const bias = new Float32Array(11)
    await expectError(run({ topK: 1, ...sigmoid, bias }), ShapeError, '11', '12')
  })

  it('refuses logits that are no float matrix', async () => {
    const ints = device.zeros({ dtype: 'i32', shape: [1, 4] })
    await expectError(() => route(ints, { topK: 1 }), DTypeError, 'i32')
    const flat = device.zeros({ dtype: 'f32', shape: [4] })
    await expectError(() => route(flat, { topK: 1 }), ShapeError, '[tokens, experts]')
    const crowd = device.zeros({ dtype: 'f32', shape: [1, 2049] })
    await expectError(() => route(crowd, { topK: 1 }), OptionError, '2049', '2048')
  })
})
