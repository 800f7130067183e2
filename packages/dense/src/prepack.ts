import {
  DeviceError,
  PrepackedWeights,
  panelShape,
  type QuantizedTensor,
  RecipeError,
  requireKnownOptions,
  requireQuantized,
} from '@deepgemm/core'
import { allocateScales, type Device, finish, resolveStream, type Stream } from '@deepgemm/runtime'
import { cpuPrepack, cpuQueue, cpuRelayoutScales } from '@deepgemm/runtime/cpu'

export type PrepackOptions = {
  /** Default: the device's default stream. */
  readonly stream?: Stream
}

/**
 * Rearranges weights [N, K] (128x128 or 1x128 scales), or a group of them, once, for products on a CPU:
 * `fp8GemmNT`, grouped products over rows, and the runs of their plans take the result as B. It has as
 * many bytes, so that the weights themselves can be disposed; any number of plans may share it.
 *
 * Products of up to 64 rows gain most. Their rows have the same bits in any batch, which those of one
 * or two rows over plain weights have not.
 *
 * GPU kernels read weights as checkpoints store them: on a GPU there is nothing to prepack.
 *
 * @throws {DTypeError | RecipeError | OptionError | DeviceError | DisposedError}
 */
export async function prepackWeights(
  weights: QuantizedTensor,
  options: PrepackOptions = {},
): Promise<PrepackedWeights> {
  requireKnownOptions('prepackWeights', options, ['stream'])
  requireQuantized('The weights', weights).requireLive()
  const device = weights.device as Device
  requireCpu(device)
  requireWeightRecipe(weights)
  const stream = resolveStream(device, options.stream)
  const { shape, recipe, scales } = weights
  const panels = device.empty({
    dtype: 'e4m3',
    shape: panelShape(shape),
    label: 'prepacked weights',
  })
  const { orientation } = scales
  const ownScales = allocateScales(device, {
    shape,
    recipe,
    orientation,
    label: 'prepacked weights',
  })
  const packed = new PrepackedWeights(panels, ownScales, shape)
  const queue = cpuQueue(device, stream)
  cpuPrepack(queue, weights, panels)
  cpuRelayoutScales(queue, scales, ownScales, shape)
  return finish(stream, packed, packed)
}

function requireCpu(device: Device): void {
  if (device.kind === 'cpu') return
  throw new DeviceError('Weights on a GPU are not prepacked', {
    given: device.id,
    allowed: 'weights on a CPU device',
    remedy: 'Use the weights as they are: the kernels of a GPU read them so.',
  })
}

function requireWeightRecipe({ recipe }: QuantizedTensor): void {
  if (recipe !== '128x1') return
  throw new RecipeError('Weights to prepack have the wrong scaling recipe', {
    given: recipe,
    allowed: '128x128 or 1x128',
    remedy: 'Blocks of B must run along K, and K must be innermost.',
  })
}
