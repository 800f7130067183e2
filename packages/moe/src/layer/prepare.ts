import { QuantizedTensor, type Tensor } from '@deepgemm/core'
import { allocateQuantized, type Device, type Stream } from '@deepgemm/runtime'
import { enqueueQuantize, prepareQuantize, readableOperand, readableRouter } from '../backend.js'
import { biasOnDevice, type Gating, resolveGating } from '../gating.js'
import { type MoeModel, type MoeWeights, requireWeights, type SwigluWeights } from './model.js'

/** A model and what was made for it, to be disposed with it. */
export type OwnedModel = {
  readonly model: MoeModel
  readonly owned: readonly { dispose(): void }[]
}

/** Brings weights into the form that runs read: scales as products want them, the router quantised. */
export async function prepareModel(
  device: Device,
  weights: MoeWeights,
  gating: Gating,
): Promise<OwnedModel> {
  const owned: Tensor[] = []
  try {
    return await prepare(device, weights, gating, owned)
  } catch (error) {
    for (const tensor of owned) tensor.dispose()
    throw error
  }
}

async function prepare(
  device: Device,
  weights: MoeWeights,
  gating: Gating,
  owned: Tensor[],
): Promise<OwnedModel> {
  const extents = requireWeights(device, weights)
  const resolved = resolveGating(gating, extents.experts)
  const stream = device.defaultStream
  const block = async ({ gateUp, down }: SwigluWeights): Promise<SwigluWeights> => ({
    gateUp: await readableOperand(stream, gateUp, owned),
    down: await readableOperand(stream, down, owned),
  })
  const bias = biasOnDevice(device, gating.bias, extents.experts)
  if (bias.temporary && bias.tensor !== undefined) owned.push(bias.tensor)
  const model: MoeModel = {
    extents,
    gating: resolved,
    experts: await block(weights.experts),
    shared: weights.shared && (await block(weights.shared)),
    router: weights.router && (await quantizedRouter(stream, device, weights.router, owned)),
    bias: bias.tensor,
  }
  await stream.synchronize()
  return { model, owned }
}

async function quantizedRouter(
  stream: Stream,
  device: Device,
  router: QuantizedTensor | Tensor,
  owned: Tensor[],
): Promise<QuantizedTensor> {
  if (router instanceof QuantizedTensor) return readableRouter(stream, router, owned)
  const spec = { shape: router.shape, recipe: '1x128', label: 'router' } as const
  const out = allocateQuantized(device, spec)
  owned.push(out.values, out.scales.tensor)
  const call = { source: router as Tensor<'f32'>, out, transpose: false }
  const loading = prepareQuantize(device, call)
  if (loading !== undefined) await loading
  enqueueQuantize(stream, call)
  return readableRouter(stream, out, owned)
}
