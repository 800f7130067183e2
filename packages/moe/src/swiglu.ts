import {
  FLOAT_DTYPES,
  type FloatDType,
  type QuantizedTensor,
  requireDType,
  requireKnownOptions,
  requireOneOf,
  SCALE_DTYPES,
  type ScaleDType,
  ShapeError,
  showShape,
  type Tensor,
} from '@deepgemm/core'
import {
  allocateQuantized,
  type Device,
  finish,
  resolveStream,
  type Stream,
} from '@deepgemm/runtime'
import {
  enqueueSwiglu,
  enqueueSwigluQuantize,
  prepareSwiglu,
  prepareSwigluQuantize,
  type RowSet,
  rowScaleOrientation,
} from './backend.js'
import { requireTensor } from './checks.js'
import { flatRows } from './flatten.js'
import { type RowGroups, rowSetOf } from './row-set.js'

type CommonOptions = {
  /** Which rows hold data, such as a `Permutation`; other rows are not computed. Default: all. */
  readonly groups?: RowGroups
  /** Default: the device's default stream. */
  readonly stream?: Stream
}

export type SwigluOptions = CommonOptions & {
  /** Default `bf16`. */
  readonly outDType?: FloatDType
}

export type SwigluQuantizeOptions = CommonOptions & {
  /** `ue8m0` rounds every scale up to a power of two. Default `f32`. */
  readonly scaleDType?: ScaleDType
}

/**
 * silu(gate) · up of rows [gate | up], in f32: [R, 2C] to [R, C], or [G, R, 2C] to [G, R, C]. Rows
 * that hold no data come out as zeros.
 *
 * Resolves when the result is ready.
 *
 * @throws {ShapeError | DTypeError | LayoutError | OptionError | DeviceError | DisposedError}
 */
export async function swiglu(x: Tensor, options: SwigluOptions = {}): Promise<Tensor<FloatDType>> {
  requireKnownOptions('swiglu', options, ['groups', 'outDType', 'stream'])
  const dtype = requireDType('The result of swiglu', options.outDType ?? 'bf16', FLOAT_DTYPES)
  const { input, set, shape, stream } = prepare(x, options)
  const out = (x.device as Device).zeros({ dtype, shape, label: 'activation' })
  const call = { set, input, out: flatRows(out) }
  try {
    const loading = prepareSwiglu(stream.device, call)
    if (loading !== undefined) await loading
    enqueueSwiglu(stream, call)
  } catch (error) {
    out.dispose()
    throw error
  }
  return finish(stream, out, out)
}

/**
 * As `swiglu`, and quantised from f32 with 1x128 scales by the rule of `quantize`: the A operand of
 * the product that follows.
 *
 * @throws {ShapeError | DTypeError | LayoutError | OptionError | DeviceError | DisposedError}
 */
export async function swigluQuantize(
  x: Tensor,
  options: SwigluQuantizeOptions = {},
): Promise<QuantizedTensor> {
  requireKnownOptions('swigluQuantize', options, ['groups', 'scaleDType', 'stream'])
  const scaleDType = options.scaleDType ?? 'f32'
  requireOneOf('The option scaleDType', scaleDType, SCALE_DTYPES)
  const { input, set, shape, stream } = prepare(x, options)
  const out = allocateQuantized(x.device as Device, {
    shape,
    recipe: '1x128',
    scaleDType,
    orientation: rowScaleOrientation(x.device),
    label: 'activation',
  })
  const call = { set, input, out }
  try {
    const loading = prepareSwigluQuantize(stream.device, call)
    if (loading !== undefined) await loading
    enqueueSwigluQuantize(stream, call)
  } catch (error) {
    out.dispose()
    throw error
  }
  return finish(stream, out, out)
}

type Prepared = {
  readonly input: Tensor<FloatDType>
  readonly set: RowSet
  readonly shape: readonly number[]
  readonly stream: Stream
}

function prepare(x: Tensor, options: CommonOptions): Prepared {
  const device = x.device as Device
  const input = requireTensor('The input of swiglu', x, device, {
    dtypes: FLOAT_DTYPES,
    ranks: [2, 3],
    dimensions: '[rows, gate | up] or [groups, rows, gate | up]',
  })
  const width = x.shape.at(-1) as number
  if (width % 2 !== 0) {
    throw new ShapeError('The input of swiglu is not gate | up', {
      given: showShape(x.shape),
      allowed: 'an even innermost extent',
    })
  }
  return {
    input: flatRows(input),
    set: rowSetOf(device, x.shape, options.groups),
    shape: [...x.shape.slice(0, -1), width / 2],
    stream: resolveStream(device, options.stream),
  }
}
