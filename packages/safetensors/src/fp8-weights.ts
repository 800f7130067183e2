/** The convention of DeepSeek-V3: `X.weight` in e4m3 beside `X.weight_scale_inv`, one scale per 128x128 block. */

import { CheckpointError, OptionError } from '@deepgemm/core'
import type { SafetensorsDType } from './dtypes.js'
import type { TensorEntry, TensorSpec } from './entry.js'
import type { QuantizationConfig } from './quantization.js'
import { quote, shapeText } from './text.js'

/** Rows and columns of a weight that share a scale. */
export const FP8_BLOCK = 128

const SCALE_SUFFIX = '_scale_inv'

/** Stored scale types. Despite the name "inv", a scale multiplies: real value = stored value × scale. */
const SCALE_DTYPES: readonly SafetensorsDType[] = ['F32', 'BF16', 'F8_E8M0']

/** An FP8 weight and its scales, shapes checked against one another. */
export type Fp8WeightPair = {
  /** Name of the weight. */
  readonly name: string
  /** [N, K], or [G, N, K] for G experts in one tensor. */
  readonly weight: TensorEntry
  /** [⌈N/128⌉, ⌈K/128⌉], with the same leading G. */
  readonly scale: TensorEntry
}

/** What `pairFp8Weights` needs of a checkpoint. */
export type Fp8Source = {
  readonly tensors: ReadonlyMap<string, TensorEntry>
  readonly quantization?: QuantizationConfig | undefined
}

/**
 * Finds every e4m3 weight and its scales, in the order of the checkpoint.
 *
 * @throws {CheckpointError} for a weight without scales, scales without a weight, a scale of the wrong
 * dtype or shape, or a `quantization_config` that says something else than 128x128 blocks of e4m3.
 */
export function pairFp8Weights(source: Fp8Source): readonly Fp8WeightPair[] {
  if (source.quantization !== undefined) checkConfig(source.quantization)
  const pairs: Fp8WeightPair[] = []
  for (const entry of source.tensors.values()) {
    if (entry.dtype === 'F8_E4M3') pairs.push(pairOf(entry, source.tensors))
    else if (entry.name.endsWith(SCALE_SUFFIX)) checkOwner(entry, source.tensors)
  }
  return pairs
}

/** Shape of the scales of a weight of that shape. */
export function fp8ScaleShape(shape: readonly number[]): readonly number[] {
  return shape.map((extent, i) => (i < shape.length - 2 ? extent : Math.ceil(extent / FP8_BLOCK)))
}

/** The two tensors to announce to a writer for one FP8 weight: the values and their scales. */
export function fp8WeightSpecs(
  name: string,
  shape: readonly number[],
  scaleDType: 'F32' | 'F8_E8M0' = 'F32',
): readonly [weight: TensorSpec, scale: TensorSpec] {
  if (shape.length !== 2 && shape.length !== 3) {
    throw new OptionError(`FP8 weight ${quote(name)}: shape`, {
      given: shapeText(shape),
      allowed: '[N, K] or [G, N, K]',
    })
  }
  return [
    { name, dtype: 'F8_E4M3', shape },
    { name: name + SCALE_SUFFIX, dtype: scaleDType, shape: fp8ScaleShape(shape) },
  ]
}

function pairOf(weight: TensorEntry, tensors: ReadonlyMap<string, TensorEntry>): Fp8WeightPair {
  const { name, shape } = weight
  const scale = tensors.get(name + SCALE_SUFFIX)
  const subject = `FP8 weight ${quote(name)}`
  if (shape.length !== 2 && shape.length !== 3) {
    throw new CheckpointError(`${subject}: shape`, {
      given: shapeText(shape),
      allowed: '[N, K] or [G, N, K]',
    })
  }
  if (scale === undefined) {
    throw new CheckpointError(`${subject} has no scales`, {
      given: 'no such tensor',
      allowed: `a tensor ${quote(name + SCALE_SUFFIX)}`,
      remedy: 'Use a checkpoint with 128x128 block scales, or quantise the original again.',
    })
  }
  if (!SCALE_DTYPES.includes(scale.dtype)) {
    throw new CheckpointError(`scales of ${subject}: dtype`, {
      given: scale.dtype,
      allowed: SCALE_DTYPES.join(', '),
    })
  }
  const expected = fp8ScaleShape(shape)
  if (shapeText(scale.shape) !== shapeText(expected)) {
    throw new CheckpointError(`scales of ${subject}: shape`, {
      given: shapeText(scale.shape),
      allowed: `${shapeText(expected)}, one scale per 128x128 block of ${shapeText(shape)}`,
    })
  }
  return { name, weight, scale }
}

function checkOwner(scale: TensorEntry, tensors: ReadonlyMap<string, TensorEntry>): void {
  const owner = tensors.get(scale.name.slice(0, -SCALE_SUFFIX.length))
  if (owner?.dtype === 'F8_E4M3') return
  throw new CheckpointError(`scales ${quote(scale.name)} have no FP8 weight`, {
    given: owner === undefined ? 'no such tensor' : `a weight of ${owner.dtype}`,
    allowed: 'a weight of F8_E4M3',
    remedy: 'Fetch the missing shard, or remove the scales.',
  })
}

function checkConfig({ method, format, weightBlockSize }: QuantizationConfig): void {
  const fits =
    method === 'fp8' &&
    (format === undefined || format === 'e4m3') &&
    (weightBlockSize === undefined || weightBlockSize.every((extent) => extent === FP8_BLOCK))
  if (fits) return
  throw new CheckpointError('quantization_config is not one this library runs', {
    given: `${quote(method)}, ${quote(format ?? 'no format')}, blocks of ${weightBlockSize?.join('x') ?? 'no size'}`,
    allowed: 'method "fp8", format "e4m3", blocks of 128x128',
    remedy: 'Dequantise the checkpoint with the tool that made it, then quantise it again.',
  })
}
