import { gatingFromConfig } from '@deepgemm/moe/sm90'
import { type Checkpoint, type CheckpointEntry, CheckpointError } from 'deepgemm'
import { WeightSelection } from '../checkpoint/selection.js'
import { type SourceDType, sourceDType } from '../checkpoint/source-dtype.js'
import type { ModelLayer, ModelMoe, ModelProducts } from './models.js'

/**
 * The distinct products of a checkpoint: its FP8 weights, or, if it has none, the weights that
 * `deepgemm quantize` would take. What belongs to a mixture of experts is counted as one layer.
 *
 * @throws {CheckpointError} when there are none, or a mixture of experts whose gating is not known
 */
export function checkpointProducts(checkpoint: Checkpoint): ModelProducts {
  const prefixes = moePrefixes(checkpoint)
  const isInside = ({ name }: CheckpointEntry): boolean =>
    prefixes.some((prefix) => name.startsWith(`${prefix}.`))
  const layers = new Map<string, ModelLayer>()
  const weights = weightsOf(checkpoint)
  for (const entry of weights) {
    if (isInside(entry)) continue
    const layer = layerOf(entry)
    layers.set(keyOf(layer), layer)
  }
  const moe = new Map<string, ModelMoe>()
  for (const prefix of prefixes) {
    const layer = moeOf(checkpoint, prefix)
    moe.set(keyOf(layer), layer)
  }
  return { layers: [...layers.values()], moe: [...moe.values()], floats: floatsOf(weights) }
}

function floatsOf(weights: readonly CheckpointEntry[]): readonly SourceDType[] {
  const dtypes = new Set(weights.map(({ dtype }) => dtype))
  return [...dtypes].filter((dtype) => dtype !== 'F8_E4M3').map(sourceDType)
}

function keyOf(layer: ModelLayer | ModelMoe): string {
  return JSON.stringify(layer)
}

function weightsOf(checkpoint: Checkpoint): readonly CheckpointEntry[] {
  const all = [...checkpoint.tensors.values()]
  const fp8 = all.filter(({ dtype }) => dtype === 'F8_E4M3')
  const selection = new WeightSelection([], [])
  const weights = fp8.length > 0 ? fp8 : all.filter((entry) => selection.takes(entry))
  if (weights.length > 0) return weights
  throw new CheckpointError('There is nothing to compile kernels for', {
    given: `${checkpoint.path}, without a weight that FP8 products use`,
    allowed: 'a checkpoint with e4m3 weights, or with float weights that quantize takes',
  })
}

const FIRST_EXPERT = '.experts.0.gate_proj.weight'

/** What `MoeLayer.load` would be given, by DeepSeek-V3's names. */
function moePrefixes({ names }: Checkpoint): readonly string[] {
  return names
    .filter((name) => name.endsWith(FIRST_EXPERT))
    .map((name) => name.slice(0, -FIRST_EXPERT.length))
}

function moeOf(checkpoint: Checkpoint, prefix: string): ModelMoe {
  const rowsOf = (name: string): number | undefined => checkpoint.tensors.get(name)?.shape[0]
  const { shape } = checkpoint.entry(prefix + FIRST_EXPERT)
  const [intermediate, hidden] = shape as readonly [number, number]
  let experts = 0
  while (checkpoint.tensors.has(`${prefix}.experts.${experts}.gate_proj.weight`)) experts++
  const shared = rowsOf(`${prefix}.shared_experts.gate_proj.weight`)
  const { topK, gating = 'softmax' } = gatingFromConfig(checkpoint.config)
  return {
    ...{ name: patternOf(prefix), experts, hidden, intermediate, topK, gating },
    ...(shared === undefined ? {} : { shared }),
  }
}

function layerOf({ name, shape }: CheckpointEntry): ModelLayer {
  const [n, k] = [shape.at(-2), shape.at(-1)] as [number, number]
  return { name: patternOf(name), n, k, experts: shape.length === 3 ? (shape[0] as number) : 1 }
}

/** `model.layers.3.mlp.experts.7.down_proj.weight` becomes `layers.*.mlp.experts.*.down_proj`. */
export function patternOf(name: string): string {
  return name
    .replace(/^model\./, '')
    .replace(/\.weight$/, '')
    .replaceAll(/\.\d+(?=\.|$)/g, '.*')
}
