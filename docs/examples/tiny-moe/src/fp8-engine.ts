import {
  type Checkpoint,
  type Device,
  enqueueQuantize,
  MoeLayer,
  planGemm,
  prepareQuantize,
  swigluQuantize,
} from 'deepgemm'
import type { Engine, FeedForward, Linear } from './engine.js'
import { fp8Linear } from './fp8-linear.js'
import { readFp8 } from './fp8-weights.js'
import type { RouterConfig } from './router.js'

/**
 * Every product in FP8, on a device of the library: activations are quantised 1x128 as they come,
 * weights are 128x128. Owns the device.
 */
export class Fp8Engine implements Engine {
  readonly name: string
  readonly #device: Device
  readonly #checkpoint: Checkpoint
  readonly #maxTokens: number

  /** `maxTokens` is the most tokens of one call. */
  constructor(device: Device, checkpoint: Checkpoint, maxTokens = 256) {
    this.name = `FP8 on ${device.kind}`
    this.#device = device
    this.#checkpoint = checkpoint
    this.#maxTokens = maxTokens
  }

  async linear(names: readonly string[]): Promise<Linear> {
    const weight = await readFp8(this.#device, this.#checkpoint, names)
    return fp8Linear(this.#device, weight, this.#maxTokens)
  }

  async dense(prefix: string): Promise<FeedForward> {
    const [device, max] = [this.#device, this.#maxTokens]
    const names = [`${prefix}.gate_proj.weight`, `${prefix}.up_proj.weight`]
    const gateUp = await readFp8(device, this.#checkpoint, names)
    const down = await readFp8(device, this.#checkpoint, [`${prefix}.down_proj.weight`])
    const [width, hidden] = gateUp.shape as readonly [number, number]
    const up = await planGemm(device, { n: width, k: hidden, m: { max } })
    const back = await planGemm(device, { n: hidden, k: width / 2, m: { max }, out: 'f32' })
    await prepareQuantize(device, '1x128')
    return {
      async apply(x, tokens) {
        using a = enqueueQuantize(device, { data: x, shape: [tokens, hidden] }, '1x128')
        using inner = device.zeros({ dtype: 'bf16', shape: [tokens, width], label: 'gate and up' })
        using out = device.zeros({ dtype: 'f32', shape: [tokens, hidden], label: 'dense output' })
        up.run({ a, b: gateUp, out: inner })
        using activation = await swigluQuantize(inner)
        back.run({ a: activation, b: down, out })
        return await out.toFloat32Array()
      },
      dispose() {
        gateUp.dispose()
        down.dispose()
      },
    }
  }

  async mixture(prefix: string, router: RouterConfig): Promise<FeedForward> {
    const device = this.#device
    const { topK, groups, topGroups, scalingFactor } = router
    const layer = await MoeLayer.load(device, this.#checkpoint, prefix, {
      gating: 'group-limited-sigmoid',
      ...{ topK, groups, topGroups, scalingFactor, normalize: true },
      maxTokens: this.#maxTokens,
    })
    const { hidden } = layer.extents
    return {
      async apply(x, tokens) {
        using input = device.tensor(x, { dtype: 'f32', shape: [tokens, hidden] })
        using out = layer.run(input)
        return await out.toFloat32Array()
      },
      dispose: () => layer.dispose(),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#device.dispose()
  }
}
