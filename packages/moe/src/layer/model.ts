import {
  FLOAT_DTYPES,
  type QuantizedTensor,
  type Recipe,
  requireInteger,
  requireRecipe,
  ShapeError,
  showShape,
  type Tensor,
} from '@deepgemm/core'
import type { Device } from '@deepgemm/runtime'
import { requireTensor } from '../checks.js'
import type { ResolvedGating } from '../gating.js'

/** A SwiGLU block in FP8: down · (silu(gate · x) · (up · x)). */
export type SwigluWeights<T = QuantizedTensor> = {
  /** [2I, H] with the gate's rows before the up projection's; experts have a leading E. */
  readonly gateUp: T
  /** [H, I]; experts have a leading E. */
  readonly down: T
}

/** The weights of a layer: e4m3 with 128x128 scales. */
export type MoeWeights = {
  /** [E, 2I, H] and [E, H, I]. */
  readonly experts: SwigluWeights
  /**
   * [E, H]: logits are an FP8 product like every other of the layer. Floats are quantised with
   * 1x128 scales, finer than those of other weights, since selection is sensitive. Without a
   * router every run is given its logits.
   */
  readonly router?: QuantizedTensor | Tensor
  /** Experts that every token passes, as one block: [2S, H] and [H, S]. */
  readonly shared?: SwigluWeights
}

/** Extents of a layer. */
export type MoeExtents = {
  readonly experts: number
  readonly hidden: number
  readonly intermediate: number
  /** Intermediate extent of the shared experts together; 0 without. */
  readonly shared: number
}

/** A layer ready to run: weights on the device with f32 scales. */
export type MoeModel = {
  readonly extents: MoeExtents
  readonly experts: SwigluWeights
  readonly router: QuantizedTensor | undefined
  readonly shared: SwigluWeights | undefined
  readonly gating: ResolvedGating
  readonly bias: Tensor<'f32'> | undefined
}

/** Most tokens a run may have: rows are counted in int32. */
export const MAX_TOKENS: number = 2 ** 20

/**
 * Checks that the weights belong together.
 *
 * @throws {ShapeError | DTypeError | RecipeError | LayoutError | DeviceError | DisposedError}
 */
export function requireWeights(device: Device, weights: MoeWeights): MoeExtents {
  const { experts, router, shared } = weights
  const { hidden, intermediate } = requireBlock(device, 'experts', experts, 3)
  const count = experts.gateUp.shape[0] as number
  if (shared !== undefined) {
    const block = requireBlock(device, 'shared', shared, 2)
    if (block.hidden !== hidden) throw disagree('shared', shared.gateUp.shape, `[2S, ${hidden}]`)
  }
  if (router !== undefined) requireRouter(device, router, [count, hidden])
  return {
    experts: requireInteger('The number of experts', count, 1),
    hidden,
    intermediate,
    shared: shared === undefined ? 0 : (shared.down.shape[1] as number),
  }
}

function requireBlock(
  device: Device,
  name: 'experts' | 'shared',
  { gateUp, down }: SwigluWeights,
  rank: 2 | 3,
): { readonly hidden: number; readonly intermediate: number } {
  requireQuantized(device, `${name}.gateUp`, gateUp, rank, ['128x128'])
  requireQuantized(device, `${name}.down`, down, rank, ['128x128'])
  const [width, hidden] = gateUp.shape.slice(-2) as [number, number]
  const expected = [...gateUp.shape.slice(0, -2), hidden, width / 2]
  if (!expected.every((extent, i) => extent === down.shape[i])) {
    throw disagree(`${name}.down`, down.shape, `${showShape(expected)} beside gate and up`)
  }
  return { hidden, intermediate: width / 2 }
}

function requireRouter(
  device: Device,
  router: QuantizedTensor | Tensor,
  shape: readonly number[],
): void {
  if ('values' in router) {
    requireQuantized(device, 'router', router, 2, ['1x128', '128x128'])
    if (showShape(router.shape) !== showShape(shape)) {
      throw disagree('router', router.shape, showShape(shape))
    }
  } else {
    requireTensor('The weight router', router, device, { dtypes: FLOAT_DTYPES, shape })
  }
}

function requireQuantized(
  device: Device,
  name: string,
  weight: QuantizedTensor,
  rank: number,
  recipes: readonly Recipe[],
): void {
  const subject = `The weight ${name}`
  requireTensor(subject, weight.values, device, { dtypes: ['e4m3'], ranks: [rank] })
  weight.scales.tensor.requireLive()
  requireRecipe(subject, weight.recipe, recipes)
}

function disagree(name: string, shape: readonly number[], allowed: string): ShapeError {
  return new ShapeError(`The weight ${name} does not fit the layer`, {
    given: showShape(shape),
    allowed,
  })
}
