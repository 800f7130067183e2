import { type Checkpoint, type CheckpointEntry, CheckpointError } from 'deepgemm'
import { WeightSelection } from '../checkpoint/selection.js'
import type { ModelLayer } from './models.js'

type Shape = { readonly n: number; readonly k: number }

/**
 * The distinct products of a checkpoint: its FP8 weights, or, if it has none, the weights that
 * `deepgemm quantize` would take. Gate and up of an expert are one product, as MoeLayer runs them.
 *
 * @throws {CheckpointError} when there are none
 */
export function checkpointLayers(checkpoint: Checkpoint): readonly ModelLayer[] {
  const entries = weightsOf(checkpoint)
  const layers = new Map<string, ModelLayer>()
  for (const entry of entries) {
    const layer = layerOf(entry)
    if (layer === undefined) continue
    const key = [layer.name, layer.n, layer.k].join(' ')
    const known = layers.get(key)
    layers.set(key, { ...layer, experts: Math.max(known?.experts ?? 1, layer.experts) })
  }
  return [...layers.values()]
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

/** `up_proj` of an expert is half of the product that `gate_proj` stands for. */
function layerOf({ name, shape }: CheckpointEntry): ModelLayer | undefined {
  const { n, k } = { n: shape.at(-2), k: shape.at(-1) } as Shape
  const pattern = patternOf(name)
  const expert = /\.experts\.(\d+)\./.exec(name)
  if (expert === null && !/\.shared_experts\./.test(name)) {
    return { name: pattern, n, k, experts: shape.length === 3 ? (shape[0] as number) : 1 }
  }
  if (/\.up_proj\.weight$/.test(name)) return undefined
  const isGate = /\.gate_proj\.weight$/.test(name)
  return {
    name: isGate ? pattern.replace('gate_proj', 'gate_proj and up_proj') : pattern,
    n: isGate ? 2 * n : n,
    k,
    experts: expert === null ? 1 : Number(expert[1]) + 1,
  }
}

/** `model.layers.3.mlp.experts.7.down_proj.weight` becomes `layers.*.mlp.experts.*.down_proj`. */
export function patternOf(name: string): string {
  return name
    .replace(/^model\./, '')
    .replace(/\.weight$/, '')
    .replaceAll(/\.\d+(?=\.|$)/g, '.*')
}
