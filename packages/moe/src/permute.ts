import {
  type QuantizedTensor,
  requireKnownOptions,
  requireRecipe,
  requireSameShape,
  type Shape,
} from '@deepgemm/core'
import { allocateQuantized, type Device, resolveStream, type Stream } from '@deepgemm/runtime'
import { enqueuePermuteRows } from './backend.js'
import { requireTensor } from './checks.js'
import { flattened } from './flatten.js'
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
    // Rows of all groups must be one step apart.
    orientation: 'k-major',
    label: 'permuted tokens',
  })
  const { values, scales } = flattened(out)
  const groupIndex = permutation.layout === 'contiguous' ? groups : undefined
  const call = { destination, source: tokens, out: values, outScales: scales, groupIndex }
  enqueuePermuteRows(stream, call)
  await stream.synchronize()
  return out
}

function permutedShape({ layout, experts, rows, maxRows }: Permutation, columns: number): Shape {
  return layout === 'masked' ? [experts, maxRows, columns] : [rows, columns]
}
