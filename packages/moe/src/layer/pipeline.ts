// What a layer does with a batch of tokens: one enqueued operation after another.

import type { FloatDType, Tensor } from '@deepgemm/core'
import type { Stream } from '@deepgemm/runtime'
import {
  enqueueCombine,
  enqueuePermute,
  enqueueQuantize,
  enqueueRouteAndPlan,
  enqueueSwigluQuantize,
  placementOf,
  type RepeatedWork,
} from '../backend.js'
import { flatRows } from '../flatten.js'
import type { Batch } from './batch.js'
import type { DenseProduct } from './dense-product.js'
import type { MoeModel } from './model.js'
import type { LayerProducts } from './products.js'

/** What is replayed. */
export type Repeated = {
  /** Whole runs of few tokens on the same memory. */
  readonly runs: RepeatedWork
  /** What runs of as many tokens have in common. */
  readonly sizes: RepeatedWork
}

/** One run of a layer, validated. */
export type LayerRun = {
  readonly stream: Stream
  readonly model: MoeModel
  readonly products: LayerProducts
  readonly batch: Batch
  readonly repeated: Repeated
  readonly x: Tensor<FloatDType>
  /** Computed by the router when undefined. */
  readonly logits: Tensor<FloatDType> | undefined
  readonly out: Tensor<FloatDType>
}

/** Enqueues everything; nothing is read back. */
export function enqueueLayer(run: LayerRun): void {
  const { stream, batch, repeated, x, logits, out } = run
  if (batch.layout === 'packed') enqueueSteps(run, stream)
  else {
    const key = placementOf(stream, [x, logits, out])
    repeated.runs.run(stream, key, (on) => enqueueSteps(run, on))
  }
}

/**
 * Between the input and the output a run works in its batch's buffers alone, so that this part
 * repeats with the number of tokens, whatever the routing is.
 */
function enqueueSteps(run: LayerRun, stream: Stream): void {
  const { batch, x, logits, out } = run
  enqueueQuantize(stream, { source: x, out: batch.tokens, transpose: false })
  if (logits !== undefined) enqueueSelection(run, stream, logits)
  const key = `${x.shape[0]} tokens, ${logits === undefined ? 'routed' : 'with logits'}`
  run.repeated.sizes.run(stream, key, (on) => enqueueExperts(run, on))
  const { destination, weights, shared } = batch
  const rows = flatRows(batch.expertOut)
  enqueueCombine(stream, { destination, weights, rows, addend: shared?.out, out })
}

function enqueueSelection(
  { model, batch }: LayerRun,
  stream: Stream,
  logits: Tensor<FloatDType>,
): void {
  const { indices, weights, destination, counts, offsets, layout, maxRows } = batch
  const route = { logits, ...model.gating, bias: model.bias, indices, weights }
  enqueueRouteAndPlan(stream, route, {
    ...{ indices, destination, counts, offsets, layout, maxRows },
    experts: model.extents.experts,
    alignment: 1,
    rowCapacity: batch.rows,
    groupIndex: undefined,
  })
}

function enqueueExperts(run: LayerRun, stream: Stream): void {
  const { batch, products, logits } = run
  if (logits === undefined) {
    const router = products.router as DenseProduct
    router(stream, batch.tokens, batch.logits.all)
    enqueueSelection(run, stream, batch.logits.experts)
  }
  const { destination, layout, groups } = batch
  const { tokens: source, permuted, gateUp, activation, expertOut, set } = batch
  enqueuePermute(stream, { destination, source, out: permuted, groupIndex: undefined })
  const { gateUp: first, down: second } = products[layout] as NonNullable<LayerProducts['packed']>
  first(stream, { a: permuted, out: gateUp, groups })
  enqueueSwigluQuantize(stream, { set, input: flatRows(gateUp), out: activation })
  second(stream, { a: activation, out: expertOut, groups })
  enqueueShared(run, stream)
}

/** The block that every token passes, when there is one. */
function enqueueShared({ batch, products }: LayerRun, stream: Stream): void {
  if (batch.shared === undefined || products.shared === undefined) return
  const { gateUp, activation, out } = batch.shared
  products.shared.gateUp(stream, batch.tokens, gateUp)
  const set = { rows: gateUp.shape[0] as number }
  enqueueSwigluQuantize(stream, { set, input: gateUp, out: activation })
  products.shared.down(stream, activation, out)
}
