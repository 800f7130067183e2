// Weights by name, wherever they come from.

import {
  CheckpointError,
  type DType,
  QuantizedTensor,
  type Scales,
  showShape,
  type Tensor,
} from '@deepgemm/core'
import type { ModelConfig } from './config.js'

/** What a layer reads of a checkpoint; `Checkpoint` of @deepgemm/safetensors is one. */
export interface CheckpointLike {
  /** dtype as safetensors names it, such as `BF16` or `F8_E4M3`. */
  readonly tensors: ReadonlyMap<
    string,
    { readonly dtype: string; readonly shape: readonly number[] }
  >
  /** Row-major little-endian bytes. */
  read(name: string): Promise<Uint8Array>
  /** config.json. */
  readonly config?: ModelConfig | undefined
}

/** Tensors that are on a device already; quantised ones bring their scales. */
export type NamedTensors = ReadonlyMap<string, QuantizedTensor | Tensor>

/** Where `MoeLayer.load` finds weights. */
export type WeightSource = CheckpointLike | NamedTensors

/** One tensor that can be read. */
export type Entry = {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  read(): Promise<Uint8Array>
}

/** Tensors by name. */
export type Source = {
  readonly config: ModelConfig | undefined
  find(name: string): Entry | undefined
}

/** Suffix of the scales of an FP8 weight; despite its name a scale multiplies. */
const SCALE_SUFFIX = '_scale_inv'

const DTYPES: Readonly<Record<string, DType>> = {
  F8_E4M3: 'e4m3',
  F8_E8M0: 'ue8m0',
  BF16: 'bf16',
  F16: 'f16',
  F32: 'f32',
}

export function sourceOf(weights: WeightSource): Source {
  return isMap(weights) ? namedSource(weights) : checkpointSource(weights)
}

/** Name of the scales of a weight. */
export function scaleName(weight: string): string {
  return weight + SCALE_SUFFIX
}

/** The tensor of that name and shape. @throws {CheckpointError} when there is none. */
export function requireEntry(source: Source, name: string, shape?: readonly number[]): Entry {
  const entry = source.find(name)
  if (entry === undefined) {
    throw new CheckpointError(`The weight ${name} is missing`, {
      allowed: 'tensors named as in DeepSeek-V3',
      remedy: 'Check the prefix of the layer.',
    })
  }
  if (shape === undefined || showShape(entry.shape) === showShape(shape)) return entry
  throw new CheckpointError(`The weight ${name} has the wrong shape`, {
    given: showShape(entry.shape),
    allowed: showShape(shape),
  })
}

function isMap(weights: WeightSource): weights is NamedTensors {
  return weights instanceof Map
}

function checkpointSource(checkpoint: CheckpointLike): Source {
  return {
    config: checkpoint.config,
    find(name) {
      const entry = checkpoint.tensors.get(name)
      if (entry === undefined) return undefined
      const dtype = DTYPES[entry.dtype]
      if (dtype === undefined) {
        throw new CheckpointError(`The weight ${name} has the wrong dtype`, {
          given: entry.dtype,
          allowed: Object.keys(DTYPES).join(', '),
        })
      }
      return { name, dtype, shape: entry.shape, read: () => checkpoint.read(name) }
    },
  }
}

function namedSource(tensors: NamedTensors): Source {
  return {
    config: undefined,
    find(name) {
      const tensor = tensors.get(name)
      if (tensor instanceof QuantizedTensor) return entryOf(name, tensor.values)
      if (tensor !== undefined) return entryOf(name, tensor)
      if (!name.endsWith(SCALE_SUFFIX)) return undefined
      const owner = tensors.get(name.slice(0, -SCALE_SUFFIX.length))
      if (!(owner instanceof QuantizedTensor)) return undefined
      return entryOf(name, grid(owner.scales, owner.shape))
    },
  }
}

function entryOf(name: string, tensor: Tensor): Entry {
  return { name, dtype: tensor.dtype, shape: tensor.shape, read: () => tensor.toBytes() }
}

/** The scale grid row-major and without padding, as a view. */
function grid({ tensor, orientation, recipe }: Scales, shape: readonly number[]): Tensor {
  if (orientation === 'k-major') return tensor
  const blockRows = recipe === '1x128' ? 1 : 128
  return tensor.slice(1, 0, Math.ceil((shape[0] as number) / blockRows)).transpose()
}
