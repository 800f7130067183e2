import { type Gating, MoeLayer } from '@deepgemm/moe'
import { Device } from '@deepgemm/runtime'
import { availableDevices, createRandom, globalError, normalArray, seeds } from '@deepgemm/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { referenceLayer } from './support/layer-reference.js'
import {
  disposeWeights,
  hostWeights,
  type LayerSpec,
  uploadWeights,
} from './support/layer-weights.js'

/**
 * Where a float64 gate or up lies so near a bf16 tie that f32 rounds it the other way, an activation
 * may change by one step of e4m3: at most 1/8 of it. In narrow layers one activation may hold a
 * third of a token's energy, so that one such step costs ½ · ⅓ · (1/8)² of the metric.
 */
const TOKEN_ERROR = 2.6e-3
/**
 * Such steps are rare; all that goes wrong always shows in the mean: one wrong token of these is
 * 2e-3 of it. A GPU's tensor cores keep about 14 bits of a sum of 128 products, so that 1 in 30
 * results rounds to another bf16 and the mean change of an activation is δ = 2^-8 / 30. Rounding to
 * e4m3, whose steps s are about 0.09 of a value, makes of it a mean square of δ · s, twice the
 * metric: 6e-6 at each of gate and up, and what comes of the few activations that carry a token.
 */
const MEAN_ERROR = { cpu: 1e-5, cuda: 5e-5 }
/** Tokens whose selection f32 may rightly make otherwise. */
const LEAST_MARGIN = 1e-4

/** A GPU takes multiples of 16. */
const specs = (kind: string): fc.Arbitrary<LayerSpec> =>
  fc.record({
    experts: fc.constantFrom(4, 8, 12),
    hidden: fc.constantFrom(128, kind === 'cpu' ? 200 : 208),
    intermediate: fc.constantFrom(64, 128, 144),
    shared: fc.constantFrom(0, kind === 'cpu' ? 72 : 80, 128),
    topK: fc.integer({ min: 1, max: 4 }),
    seed: seeds(),
  })

describe.each(await availableDevices(Device))('a MoE layer on $kind', (kind) => {
  let device: Device

  beforeAll(async () => {
    device = await kind.open()
  })
  afterAll(() => device.dispose())

  const sigmoid = (spec: LayerSpec): Gating & { bias: Float32Array<ArrayBuffer> } => ({
    topK: spec.topK,
    gating: 'group-limited-sigmoid',
    groups: 4,
    topGroups: spec.experts === 4 ? 4 : 2,
    scalingFactor: 2.5,
    bias: normalArray(createRandom(spec.seed), spec.experts, 0.05),
  })

  it('computes what float64 computes', async () => {
    const errors: number[] = []
    const gatings = fc.boolean()
    const counts = fc.constantFrom(1, 3, 16, 17, 24)
    await fc.assert(
      fc.asyncProperty(specs(kind.kind), gatings, counts, async (spec, bySigmoid, tokens) => {
        const gating = bySigmoid ? sigmoid(spec) : { topK: spec.topK }
        const host = hostWeights(spec)
        const weights = uploadWeights(device, host, spec)
        const layer = await MoeLayer.create(device, { ...weights, ...gating, maxTokens: 24 })
        const numbers = normalArray(createRandom(~spec.seed), tokens * spec.hidden)
        const x = device.tensor(numbers, { dtype: 'f32', shape: [tokens, spec.hidden] })
        const y = layer.run(x)
        const got = await y.toFloat32Array()
        const { values, margins } = referenceLayer(numbers, host, spec, gating)
        for (let token = 0; token < tokens; token++) {
          if ((margins[token] as number) < LEAST_MARGIN) continue
          const range = [token * spec.hidden, (token + 1) * spec.hidden] as const
          const error = globalError(got.subarray(...range), values.subarray(...range))
          expect(error).toBeLessThan(TOKEN_ERROR)
          errors.push(error)
        }
        for (const owner of [x, y, layer]) owner.dispose()
        disposeWeights(weights)
      }),
      { numRuns: 40 },
    )
    const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length
    expect(mean).toBeLessThan(MEAN_ERROR[kind.kind as keyof typeof MEAN_ERROR])
  })
})
