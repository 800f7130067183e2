// The products of a layer: chosen and loaded at its creation, so that runs only enqueue.

import type { QuantizedTensor, Tensor } from '@deepgemm/core'
import type { Device, Stream } from '@deepgemm/runtime'
import type { RowsLayout } from '../grouped/call.js'
import { planGroupedGemm } from '../grouped/plan.js'
import { type DenseProduct, planDense, planRouter } from './dense-product.js'
import type { MoeModel, SwigluWeights } from './model.js'

/** Enqueues rows of all experts times their weights. */
type RowsProduct = (
  stream: Stream,
  operands: {
    readonly a: QuantizedTensor
    readonly out: Tensor
    readonly groups: Tensor<'i32'>
  },
) => void

export type LayerProducts = {
  /** Undefined when every run is a decode run, or none is. */
  readonly packed: SwigluWeights<RowsProduct> | undefined
  readonly masked: SwigluWeights<RowsProduct> | undefined
  readonly router: DenseProduct | undefined
  readonly shared: SwigluWeights<DenseProduct> | undefined
}

/** How many rows the products of a layer have at most. */
export type ProductRows = {
  readonly tokens: number
  readonly decodeTokens: number
  readonly topK: number
}

/** What has to live as long as the products joins `owned`. @throws {ShapeError | CompileError} */
export async function planProducts(
  device: Device,
  { experts, router, shared, extents }: MoeModel,
  { tokens, decodeTokens, topK }: ProductRows,
  owned: { dispose(): void }[],
): Promise<LayerProducts> {
  const expected = Math.ceil((decodeTokens * topK) / extents.experts)
  const packed = { layout: 'packed', m: tokens * topK, expectedM: tokens * topK } as const
  const masked = { layout: 'masked', m: decodeTokens, expectedM: expected } as const
  const rows = (b: QuantizedTensor, spec: Rows): Promise<RowsProduct> => planRows(device, b, spec)
  const dense = (b: QuantizedTensor): Promise<DenseProduct> =>
    planDense(device, b, { maxRows: tokens, out: 'bf16' }, owned)
  return {
    packed: tokens > decodeTokens ? await both(experts, (b) => rows(b, packed)) : undefined,
    masked: decodeTokens > 0 ? await both(experts, (b) => rows(b, masked)) : undefined,
    router: router && (await planRouter(device, router, tokens, owned)),
    shared: shared && (await both(shared, dense)),
  }
}

async function both<T>(
  { gateUp, down }: SwigluWeights,
  plan: (weight: QuantizedTensor) => Promise<T>,
): Promise<SwigluWeights<T>> {
  return { gateUp: await plan(gateUp), down: await plan(down) }
}

type Rows = { readonly layout: RowsLayout; readonly m: number; readonly expectedM: number }

async function planRows(
  device: Device,
  b: QuantizedTensor,
  { layout, m, expectedM }: Rows,
): Promise<RowsProduct> {
  const [groups, n, k] = b.shape as readonly [number, number, number]
  const plan = await planGroupedGemm(device, { layout, groups, n, k, m: { max: m }, expectedM })
  return (stream, operands) => plan.run({ ...operands, b, stream })
}
