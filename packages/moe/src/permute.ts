import {
  type QuantizedTensor,
  requireKnownOptions,
  requireRecipe,
  requireSameShape,
  type Shape,
} from '@deepgemm/core'
import {
  allocateQuantized,
  type Device,
  finish,
  resolveStream,
  type Stream,
} from '@deepgemm/runtime'
import { enqueuePermute, preparePermute, rowScaleOrientation } from './backend.js'
import { requireTensor } from './checks.js'
import type { Permutation } from './permutation.js'

export type PermuteOptions = {
  /** Default: the device's default stream. */
  readonly stream?: Stream
}

/**
 * Copies quantised tokens [T, C] (1x128 scales), values and scales, to the rows of a permutation:
 * [rows, C], or [E, max rows, C] in the masked layout. Rows without a token are zeros.
 *
 * Resolves when the result is ready.
 *
 * @throws {ShapeError | RecipeError | LayoutError | OptionError | DeviceError | DisposedError}
 */
export async function permute(
  tokens: QuantizedTensor,
  permutation: Permutation,
  options: PermuteOptions = {},
): Promise<QuantizedTensor> {
  requireKnownOptions('permute', options, ['stream'])
  const device = tokens.device as Device
  const rank = { dtypes: ['e4m3'], ranks: [2], dimensions: '[tokens, columns]' } as const
  requireTensor('The tokens', tokens.values, device, rank)
  requireRecipe('The tokens', tokens.recipe, ['1x128'])
  const [count, columns] = tokens.shape as readonly [number, number]
  const { destination, groups } = permutation
  requireTensor('The permutation', destination, device, { dtypes: ['i32'] })
  requireSameShape('The permutation', destination.shape, [count, destination.shape[1] as number])
  const stream = resolveStream(device, options.stream)
  const out = allocateQuantized(device, {
    shape: permutedShape(permutation, columns),
    recipe: '1x128',
    scaleDType: tokens.scales.dtype,
    orientation: rowScaleOrientation(device),
    label: 'permuted tokens',
  })
  const groupIndex = permutation.layout === 'contiguous' ? groups : undefined
  const call = { destination, source: tokens, out, groupIndex }
  try {
    const loading = preparePermute(device, call)
    if (loading !== undefined) await loading
    enqueuePermute(stream, call)
  } catch (error) {
    out.dispose()
    throw error
  }
  return finish(stream, out, out)
}

function permutedShape({ layout, experts, rows, maxRows }: Permutation, columns: number): Shape {
  return layout === 'masked' ? [experts, maxRows, columns] : [rows, columns]
}
