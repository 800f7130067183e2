import {
  type FloatDType,
  GroupError,
  kGroupedScaleColumns,
  QuantizedTensor,
  requireKnownOptions,
  requireOneOf,
  roundUp,
  SCALE_DTYPES,
  type ScaleDType,
  Scales,
  ShapeError,
  showShape,
  type Tensor,
} from '@deepgemm/core'
import {
  type Device,
  type HostMatrix,
  resolveStream,
  type Stream,
  sourceTensor,
} from '@deepgemm/runtime'
import { type CastCall, enqueueQuantize, prepareQuantize } from './backend.js'
import { KGroupedTensor } from './grouped/k-grouped-tensor.js'

export type QuantizeKGroupedOptions = {
  /** `ue8m0` rounds every scale up to a power of two. Default `f32`. */
  readonly scaleDType?: ScaleDType
  /** `x` is [ΣK, R], such as the rows of a packed operand, and is transposed. Default false. */
  readonly transpose?: boolean
  /** Default: the device's default stream. */
  readonly stream?: Stream
}

/**
 * Casts a float matrix [R, ΣK] to an operand of the k-grouped product: e4m3 [R, ΣK] with a scale
 * per row and block of 128 columns, the blocks starting anew with every group. Casting follows the
 * rule of `quantize`. The group sizes must add up to ΣK.
 *
 * Resolves when the result is ready.
 *
 * @throws {GroupError | ShapeError | DTypeError | LayoutError | OptionError | DeviceError | DisposedError}
 */
export async function quantizeKGrouped(
  device: Device,
  x: HostMatrix | Tensor,
  groupSizes: readonly number[] | Int32Array,
  options: QuantizeKGroupedOptions = {},
): Promise<KGroupedTensor> {
  requireKnownOptions('quantizeKGrouped', options, ['scaleDType', 'transpose', 'stream'])
  const dtype = requireOneOf('The option scaleDType', options.scaleDType ?? 'f32', SCALE_DTYPES)
  const sizes = Array.from(groupSizes)
  const columns = kGroupedScaleColumns(sizes)
  const stream = resolveStream(device, options.stream)
  const transpose = options.transpose === true
  const { tensor: source, temporary } = sourceTensor(device, x, 'view')
  try {
    requireSum(source, sizes, transpose)
    const out = allocate(device, source, { transpose, columns, dtype })
    const casts = groupCasts(source, out, sizes, transpose)
    for (const cast of casts) {
      const loading = prepareQuantize(device, cast)
      if (loading !== undefined) await loading
    }
    for (const cast of casts) enqueueQuantize(stream, cast)
    await stream.synchronize()
    const { values, scales } = out
    return new KGroupedTensor(values, scales.slice(1, 0, values.shape[0] as number))
  } finally {
    if (temporary) source.dispose()
  }
}

/** Scales [columns, R rounded up to 4]: rows of scales start at 16 bytes, as a GPU needs. */
type Target = { readonly values: Tensor<'e4m3'>; readonly scales: Tensor<ScaleDType> }

type TargetSpec = {
  readonly transpose: boolean
  readonly columns: number
  readonly dtype: ScaleDType
}

function allocate(device: Device, source: Tensor, spec: TargetSpec): Target {
  const shape = spec.transpose ? source.transpose().shape : source.shape
  const padded = roundUp(shape[0] as number, 4)
  return {
    values: device.zeros({ dtype: 'e4m3', shape, label: 'k-grouped values' }),
    scales: device.zeros({
      dtype: spec.dtype,
      shape: [spec.columns, padded],
      label: 'k-grouped scales',
    }),
  }
}

/** A group is a matrix of its own, with 1x128 scales stored mn-major. */
function groupCasts(
  source: Tensor<FloatDType>,
  { values, scales }: Target,
  sizes: readonly number[],
  transpose: boolean,
): CastCall[] {
  const casts: CastCall[] = []
  const format = { recipe: '1x128', orientation: 'mn-major' } as const
  let [k, column] = [0, 0]
  for (const size of sizes) {
    if (size === 0) continue
    const [endK, endColumn] = [k + size, column + Math.ceil(size / 128)]
    const part = source.slice(transpose ? 0 : 1, k, endK)
    const own = new Scales(scales.slice(0, column, endColumn), format)
    const target = new QuantizedTensor(values.slice(1, k, endK), own)
    casts.push({ source: part, out: target, transpose })
    ;[k, column] = [endK, endColumn]
  }
  return casts
}

function requireSum(source: Tensor, sizes: readonly number[], transpose: boolean): void {
  if (source.shape.length !== 2) {
    throw new ShapeError('The matrix to quantise has the wrong rank', {
      given: showShape(source.shape),
      allowed: transpose ? '[ΣK, rows]' : '[rows, ΣK]',
    })
  }
  const total = sizes.reduce((sum, size) => sum + size, 0)
  const k = source.shape[transpose ? 0 : 1] as number
  if (total === k) return
  throw new GroupError('The group sizes do not add up to ΣK', {
    given: `${total} for a matrix ${showShape(source.shape)}`,
    allowed: String(k),
  })
}
