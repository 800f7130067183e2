import {
  type Device,
  enqueueQuantize,
  planGemm,
  prepareQuantize,
  type QuantizedTensor,
} from 'deepgemm'
import type { Linear } from './engine.js'

/** A linear layer whose product is an FP8 GEMM: activations 1x128, weights 128x128. */
export async function fp8Linear(
  device: Device,
  weight: QuantizedTensor,
  maxTokens: number,
): Promise<Linear> {
  const [n, k] = weight.shape as readonly [number, number]
  const plan = await planGemm(device, { n, k, m: { max: maxTokens }, out: 'f32' })
  await prepareQuantize(device, '1x128')
  return {
    async apply(x, tokens) {
      using a = enqueueQuantize(device, { data: x, shape: [tokens, k] }, '1x128')
      using out = device.zeros({ dtype: 'f32', shape: [tokens, n], label: 'linear output' })
      plan.run({ a, b: weight, out })
      return await out.toFloat32Array()
    },
    dispose: () => weight.dispose(),
  }
}
