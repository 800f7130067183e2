import { FLOAT_DTYPES, requireKnownOptions, type Tensor } from '@deepgemm/core'
import { type Device, finish, resolveStream, type Stream } from '@deepgemm/runtime'
import { enqueueRoute, prepareRoute } from './backend.js'
import { requireTensor } from './checks.js'
import { biasOnDevice, GATING_OPTIONS, type Gating, resolveGating } from './gating.js'

export type RouteOptions = Gating & {
  /** Default: the device's default stream. */
  readonly stream?: Stream
}

/** The experts of every token and what they count, both [T, topK]. */
export class Routing {
  readonly indices: Tensor<'i32'>
  readonly weights: Tensor<'f32'>

  constructor(indices: Tensor<'i32'>, weights: Tensor<'f32'>) {
    this.indices = indices
    this.weights = weights
  }

  dispose(): void {
    this.indices.dispose()
    this.weights.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}

/**
 * Selects the topK experts of every token from logits [T, E], f32, f16 or bf16.
 *
 * Experts come in descending order of the selection score, of equal scores the lower index first.
 * All arithmetic is f32. NaN scores rank below all numbers, so a token always has topK different
 * experts; NaN logits show up in the weights.
 *
 * Resolves when the result is ready.
 *
 * @throws {ShapeError | DTypeError | LayoutError | OptionError | DeviceError | DisposedError}
 */
export async function route(logits: Tensor, options: RouteOptions): Promise<Routing> {
  requireKnownOptions('route', options, [...GATING_OPTIONS, 'stream'])
  const device = logits.device as Device
  const rule = { dtypes: FLOAT_DTYPES, ranks: [2], dimensions: '[tokens, experts]' }
  const source = requireTensor('The logits', logits, device, rule)
  const [tokens, experts] = logits.shape as readonly [number, number]
  const gating = resolveGating(options, experts)
  const stream = resolveStream(device, options.stream)
  const bias = biasOnDevice(device, options.bias, experts)
  const shape = [tokens, gating.topK]
  const indices = device.zeros({ dtype: 'i32', shape, label: 'expert indices' })
  const weights = device.zeros({ dtype: 'f32', shape, label: 'expert weights' })
  const routing = new Routing(indices, weights)
  const call = { logits: source, ...gating, bias: bias.tensor, indices, weights }
  try {
    const loading = prepareRoute(device, call)
    if (loading !== undefined) await loading
    enqueueRoute(stream, call)
  } catch (error) {
    routing.dispose()
    throw error
  } finally {
    if (bias.temporary) bias.tensor?.dispose()
  }
  return finish(stream, routing, routing)
}
