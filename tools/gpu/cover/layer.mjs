import {
  combine,
  MoeLayer,
  permute,
  planPermutation,
  quantize,
  route,
  swiglu,
  swigluQuantize,
} from '../../../packages/deepgemm/dist/index.js'
import { disposeAll, numbers } from './values.mjs'

const [TOKENS, EXPERTS, HIDDEN, WIDTH, TOP_K] = [21, 16, 272, 144, 3]
const GATINGS = [
  { topK: TOP_K },
  { topK: TOP_K, gating: 'group-limited-sigmoid', groups: 4, topGroups: 2 },
]

/** The steps of a layer one by one, in every layout. */
async function steps(device) {
  const float = (dtype, ...shape) => device.tensor(numbers(...shape).data, { dtype, shape })
  const logits = float('f32', TOKENS, EXPERTS)
  const x = await quantize(device, numbers(TOKENS, HIDDEN), '1x128')
  for (const gating of GATINGS) {
    const routing = await route(logits, gating)
    for (const layout of ['packed', 'contiguous', 'masked']) {
      const room = layout === 'masked' ? { maxRows: TOKENS } : {}
      const plan = await planPermutation(routing.indices, { layout, experts: EXPERTS, ...room })
      const permuted = await permute(x, plan)
      const lead = layout === 'masked' ? [EXPERTS, plan.maxRows] : [plan.rows]
      const up = float('bf16', ...lead, 2 * WIDTH)
      const plain = await swiglu(up, { groups: plan })
      const quantized = await swigluQuantize(up, { groups: plan })
      const rows = float('bf16', ...lead, HIDDEN)
      const y = await combine(rows, plan, routing.weights)
      await y.toBytes()
      disposeAll(plan, permuted, up, plain, quantized, rows, y)
    }
    routing.dispose()
  }
  disposeAll(logits, x)
}

/** Layers with and without shared experts, for few tokens and for many. */
async function layers(device) {
  const weight = (...shape) => quantize(device, numbers(...shape), '128x128')
  for (const [index, gating] of GATINGS.entries()) {
    const experts = {
      gateUp: await weight(EXPERTS, 2 * WIDTH, HIDDEN),
      down: await weight(EXPERTS, HIDDEN, WIDTH),
    }
    const router = await quantize(device, numbers(EXPERTS, HIDDEN), '1x128')
    const block = { gateUp: await weight(2 * WIDTH, HIDDEN), down: await weight(HIDDEN, WIDTH) }
    const shared = index === 1 ? { shared: block } : {}
    const layer = await MoeLayer.create(device, {
      ...{ experts, router, ...shared, ...gating },
      maxTokens: 64,
    })
    for (const tokens of [1, 8, 16, 64]) {
      const x = device.tensor(numbers(tokens, HIDDEN).data, {
        dtype: 'bf16',
        shape: [tokens, HIDDEN],
      })
      const out = device.zeros({ dtype: 'bf16', shape: [tokens, HIDDEN] })
      layer.run(x, { out })
      await out.toBytes()
      disposeAll(x, out)
    }
    disposeAll(layer, experts.gateUp, experts.down, router, block.gateUp, block.down)
  }
}

export async function coverLayer(device) {
  await steps(device)
  await layers(device)
}
