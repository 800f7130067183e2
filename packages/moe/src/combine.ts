import {
  FLOAT_DTYPES,
  type FloatDType,
  requireDType,
  requireKnownOptions,
  ShapeError,
  showShape,
  type Tensor,
} from '@deepgemm/core'
import { type Device, finish, resolveStream, type Stream } from '@deepgemm/runtime'
import { enqueueCombine, prepareCombine } from './backend.js'
import { requireTensor } from './checks.js'
import { flatRows } from './flatten.js'
import type { Permutation } from './permutation.js'

export type CombineOptions = {
  /** [T, C], added to the sum: the output of shared experts. */
  readonly addend?: Tensor
  /** Default `bf16`. */
  readonly outDType?: FloatDType
  /** Default: the device's default stream. */
  readonly stream?: Stream
}

/**
 * Puts permuted rows back together: out[t] = Σ weights[t, j] · rows[destination[t, j]] + addend[t],
 * in the order of j, products and sums in f32. `rows` is [rows, C], or [E, max rows, C] in the
 * masked layout; `weights` f32 [T, topK]. Pairs without a row count nothing.
 *
 * Resolves when the result is ready.
 *
 * @throws {ShapeError | DTypeError | LayoutError | OptionError | DeviceError | DisposedError}
 */
export async function combine(
  rows: Tensor,
  permutation: Permutation,
  weights: Tensor<'f32'>,
  options: CombineOptions = {},
): Promise<Tensor<FloatDType>> {
  requireKnownOptions('combine', options, ['addend', 'outDType', 'stream'])
  const dtype = requireDType('The result of combine', options.outDType ?? 'bf16', FLOAT_DTYPES)
  const device = rows.device as Device
  const { destination } = permutation
  const source = requireRows(device, rows, permutation)
  const columns = source.shape[1] as number
  const tokens = destination.shape[0] as number
  requireTensor('The permutation', destination, device, { dtypes: ['i32'] })
  requireTensor('The expert weights', weights, device, {
    dtypes: ['f32'],
    shape: destination.shape,
    contiguous: true,
  })
  const addend =
    options.addend &&
    requireTensor('The option addend', options.addend, device, {
      dtypes: FLOAT_DTYPES,
      shape: [tokens, columns],
    })
  const stream = resolveStream(device, options.stream)
  const out = device.zeros({ dtype, shape: [tokens, columns], label: 'combined tokens' })
  const call = { destination, weights, rows: source, addend, out }
  try {
    const loading = prepareCombine(device, call)
    if (loading !== undefined) await loading
    enqueueCombine(stream, call)
  } catch (error) {
    out.dispose()
    throw error
  }
  return finish(stream, out, out)
}

function requireRows(device: Device, rows: Tensor, permutation: Permutation): Tensor<FloatDType> {
  const { layout, experts, maxRows } = permutation
  const source = requireTensor('The rows to combine', rows, device, {
    dtypes: FLOAT_DTYPES,
    ranks: [layout === 'masked' ? 3 : 2],
  })
  const expected = layout === 'masked' ? [experts, maxRows] : [permutation.rows]
  if (expected.every((extent, i) => extent === rows.shape[i])) return flatRows(source)
  throw new ShapeError('The rows to combine do not belong to the permutation', {
    given: showShape(rows.shape),
    allowed: `[${expected.join(', ')}, columns]`,
  })
}
