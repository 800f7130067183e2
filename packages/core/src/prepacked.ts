import { requireDType } from './dtype.js'
import { DeviceError, LayoutError, RecipeError } from './errors.js'
import type { Recipe } from './recipe.js'
import type { Scales } from './scales.js'
import { requireSameShape, roundUp, type Shape } from './shape.js'
import type { DeviceRef } from './storage.js'
import type { Tensor } from './tensor.js'

/** Rows of a panel. */
const PANEL_ROWS = 32
/** K is padded to a multiple of this. */
const PANEL_K = 16

/** The shape of the panels of weights [N, K] or [G, N, K]: as many codes where N and K are whole. */
export function panelShape(shape: Shape): Shape {
  const [rows, cols] = [shape.at(-2) as number, shape.at(-1) as number]
  return [...shape.slice(0, -2), roundUp(rows, PANEL_ROWS), roundUp(cols, PANEL_K)]
}

/** @throws {RecipeError} unless products read such scales of B as they are. */
function requirePrepackable({ recipe, dtype }: Scales): void {
  if (recipe !== '128x1' && dtype === 'f32') return
  throw new RecipeError('The scales of prepacked weights are of the wrong kind', {
    given: `${recipe}, ${dtype}`,
    allowed: '128x128 or 1x128, f32',
    remedy: 'prepackWeights() converts ue8m0 scales, exactly.',
  })
}

/**
 * Weights [N, K], or a group of them [G, N, K], rearranged once so that products need not transpose
 * them: the same codes in panels of 32 rows, and scales of its own in f32.
 *
 * Any number of plans and products may share one. `panels` and `scales` are plain tensors: save their
 * bytes, and construct another from them later, on any machine.
 */
export class PrepackedWeights {
  readonly panels: Tensor<'e4m3'>
  readonly scales: Scales
  /** Of the weights: [N, K] or [G, N, K]. */
  readonly shape: Shape

  /** @throws {DTypeError | ShapeError | LayoutError | RecipeError | DeviceError} when the parts do not belong together. */
  constructor(panels: Tensor, scales: Scales, shape: Shape) {
    requireDType('The panels of prepacked weights', panels.dtype, ['e4m3'])
    requireSameShape('The panels of prepacked weights', panels.shape, panelShape(shape))
    if (!panels.isContiguous) {
      throw new LayoutError('The panels of prepacked weights are not back to back', {
        given: `strides [${panels.strides.join(', ')}]`,
        allowed: 'a contiguous tensor',
      })
    }
    requirePrepackable(scales)
    if (panels.device.id !== scales.tensor.device.id) {
      throw new DeviceError('Panels and scales are on different devices', {
        given: `${panels.device.id} and ${scales.tensor.device.id}`,
        allowed: 'one device for both',
      })
    }
    scales.requireFor('The prepacked weights', shape)
    this.panels = panels as Tensor<'e4m3'>
    this.scales = scales
    this.shape = [...shape]
  }

  get recipe(): Recipe {
    return this.scales.recipe
  }

  get device(): DeviceRef {
    return this.panels.device
  }

  /** Bytes of panels and scales. */
  get byteLength(): number {
    return this.panels.byteLength + this.scales.tensor.byteLength
  }

  /** @throws {DisposedError} when the panels or the scales were disposed. */
  requireLive(): void {
    this.panels.requireLive()
    this.scales.tensor.requireLive()
  }

  dispose(): void {
    this.panels.dispose()
    this.scales.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}
