// Products that all tokens share: the router and the shared experts. A GPU computes them as grouped
// products of one group.

import {
  BLOCK,
  denseProblem,
  type OutDType,
  QuantizedTensor,
  Scales,
  type Tensor,
} from '@deepgemm/core'
import type { Device, Stream } from '@deepgemm/runtime'
import { enqueueDense, enqueueFewLogits, fewTokens, multipliesDense } from '../backend.js'
import { KGroupedTensor } from '../grouped/k-grouped-tensor.js'
import { planGroupedGemm } from '../grouped/plan.js'

/** Enqueues a [T, K] times the weights [N, K], transposed: [T, N]. */
export type DenseProduct = (stream: Stream, a: QuantizedTensor, out: Tensor) => void

export type DenseSpec = { readonly maxRows: number; readonly out: OutDType }

/** What has to live as long as the product joins `owned`. @throws {ShapeError | CompileError} */
export async function planDense(
  device: Device,
  b: QuantizedTensor,
  spec: DenseSpec,
  owned: { dispose(): void }[],
): Promise<DenseProduct> {
  if (multipliesDense(device)) {
    return (stream, a, out) => {
      const problem = denseProblem('NT', a, b, { out: spec.out, accumulate: false })
      enqueueDense(stream, problem, { a, b, out })
    }
  }
  return b.recipe === '1x128'
    ? planSlices(device, b, spec, owned)
    : planRows(device, b, spec, owned)
}

/** The product of the router [E, K], f32: for few tokens there may be a kernel of its own. */
export async function planRouter(
  device: Device,
  router: QuantizedTensor,
  maxTokens: number,
  owned: { dispose(): void }[],
): Promise<DenseProduct> {
  const few = fewTokens(device)
  const spec = { maxRows: maxTokens, out: 'f32' } as const
  const many = maxTokens > few ? await planDense(device, router, spec, owned) : undefined
  return (stream, tokens, logits) => {
    const isFew = (tokens.shape[0] as number) <= few
    if (isFew) enqueueFewLogits(stream, { tokens, router, logits: logits as Tensor<'f32'> })
    else many?.(stream, tokens, logits)
  }
}

/** 128x128 scales: every row belongs to group 0. */
async function planRows(
  device: Device,
  b: QuantizedTensor,
  { maxRows, out: dtype }: DenseSpec,
  owned: { dispose(): void }[],
): Promise<DenseProduct> {
  const [n, k] = b.shape as readonly [number, number]
  const size = { groups: 1, n, k, m: { max: maxRows }, out: dtype }
  const plan = await planGroupedGemm(device, { layout: 'contiguous', ...size })
  const index = device.zeros({ dtype: 'i32', shape: [maxRows], label: 'group of all rows' })
  owned.push(index)
  const group = asGroup(b)
  return (stream, a, out) => {
    const groups = index.slice(0, 0, a.shape[0] as number)
    plan.run({ a, b: group, out, groups, stream })
  }
}

/** 1x128 scales on both sides, as the k-grouped product has them: its one slice is all of K. */
async function planSlices(
  device: Device,
  b: QuantizedTensor,
  { maxRows, out: dtype }: DenseSpec,
  owned: { dispose(): void }[],
): Promise<DenseProduct> {
  const [n, k] = b.shape as readonly [number, number]
  const size = { groups: 1, n, k, m: { max: maxRows }, out: dtype }
  const plan = await planGroupedGemm(device, { layout: 'k-grouped', ...size })
  const sizes = Int32Array.of(k)
  const groups = device.tensor(sizes, { dtype: 'i32', shape: [1], label: 'extent of K' })
  owned.push(groups)
  const weights = asSlices(b)
  return (stream, a, out) => {
    plan.run({ a: asSlices(a), b: weights, out: out.reshape([1, ...out.shape]), groups, stream })
  }
}

function asGroup({ values, scales }: QuantizedTensor): QuantizedTensor {
  const { tensor, recipe, orientation } = scales
  const grid = new Scales(tensor.reshape([1, ...tensor.shape]), { recipe, orientation })
  return new QuantizedTensor(values.reshape([1, ...values.shape]), grid)
}

/** A matrix with mn-major 1x128 scales as an operand of the k-grouped product. */
function asSlices({ values, scales }: QuantizedTensor): KGroupedTensor {
  const [rows, k] = values.shape as readonly [number, number]
  const grid = scales.tensor.slice(0, 0, Math.ceil(k / BLOCK)).slice(1, 0, rows)
  return new KGroupedTensor(values, grid)
}
