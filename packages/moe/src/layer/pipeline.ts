// What a layer does with a batch of tokens: one enqueued operation after another.

import {
  denseProblem,
  type FloatDType,
  type QuantizedTensor,
  type Shape,
  type Tensor,
} from '@deepgemm/core'
import type { Stream } from '@deepgemm/runtime'
import {
  enqueueCombine,
  enqueueDense,
  enqueueGrouped,
  enqueuePermute,
  enqueuePlanPermutation,
  enqueueQuantize,
  enqueueRoute,
  enqueueSwigluQuantize,
  type RowSet,
} from '../backend.js'
import { flatRows } from '../flatten.js'
import { groupedProblem } from '../grouped/problem.js'
import type { MoeModel } from './model.js'
import type { Workspace } from './workspace.js'

/** One run of a layer, validated. */
export type LayerRun = {
  readonly stream: Stream
  readonly model: MoeModel
  readonly workspace: Workspace
  readonly x: Tensor<FloatDType>
  /** Computed by the router when undefined. */
  readonly logits: Tensor<FloatDType> | undefined
  readonly out: Tensor<FloatDType>
  /**
   * Rows per expert of the masked layout, whose shapes do not depend on the routing; undefined for
   * the packed layout.
   */
  readonly maxRows: number | undefined
}

const PRODUCT = { out: 'bf16', accumulate: false } as const

/** Enqueues everything; nothing is read back. */
export function enqueueLayer(run: LayerRun): void {
  const { stream, workspace, x, out } = run
  const tokens = workspace.quantized('tokens', x.shape)
  enqueueQuantize(stream, { source: x, out: tokens, transpose: false })
  const [indices, weights] = selectExperts(run, tokens)
  const { destination, rows } = routedExperts(run, tokens, indices)
  const addend = sharedExperts(run, tokens)
  enqueueCombine(stream, { destination, weights, rows, addend, out })
}

function selectExperts(run: LayerRun, tokens: QuantizedTensor): [Tensor<'i32'>, Tensor<'f32'>] {
  const { stream, workspace, model } = run
  const shape = [tokens.shape[0] as number, model.gating.topK]
  const indices = workspace.int32('indices', shape)
  const weights = workspace.f32('weights', shape)
  const logits = run.logits ?? routerLogits(run, tokens)
  enqueueRoute(stream, { logits, ...model.gating, bias: model.bias, indices, weights })
  return [indices, weights]
}

function routerLogits({ stream, workspace, model }: LayerRun, a: QuantizedTensor): Tensor<'f32'> {
  const b = model.router as QuantizedTensor
  const out = workspace.f32('logits', [a.shape[0] as number, model.extents.experts])
  enqueueDense(stream, denseProblem('NT', a, b, { out: 'f32', accumulate: false }), { a, b, out })
  return out
}

type Routed = { readonly destination: Tensor<'i32'>; readonly rows: Tensor<'bf16'> }

function routedExperts(run: LayerRun, tokens: QuantizedTensor, indices: Tensor<'i32'>): Routed {
  const { stream, workspace, model } = run
  const { experts, hidden, intermediate } = model.extents
  const { groups, destination, lead, set, layout } = planRows(run, indices)
  const permuted = workspace.quantized('permuted', [...lead, hidden])
  enqueuePermute(stream, { destination, source: tokens, out: permuted, groupIndex: undefined })
  const multiply = (a: QuantizedTensor, b: QuantizedTensor, out: Tensor): void => {
    const problem = groupedProblem(layout, a, b, { ...PRODUCT, groups: experts })
    enqueueGrouped(stream, { layout, problem, a, b, out, groups })
  }
  const gateUp = workspace.bf16('gateUp', [...lead, 2 * intermediate])
  multiply(permuted, model.experts.gateUp, gateUp)
  const activation = workspace.quantized('activation', [...lead, intermediate])
  enqueueSwigluQuantize(stream, { set, input: flatRows(gateUp), out: activation })
  const expertOut = workspace.bf16('expertOut', [...lead, hidden])
  multiply(activation, model.experts.down, expertOut)
  return { destination, rows: flatRows(expertOut) }
}

type PlannedRows = {
  readonly layout: 'packed' | 'masked'
  readonly groups: Tensor<'i32'>
  readonly destination: Tensor<'i32'>
  /** Extents of the permuted buffers before the columns. */
  readonly lead: Shape
  readonly set: RowSet
}

function planRows(
  { stream, workspace, model, maxRows }: LayerRun,
  indices: Tensor<'i32'>,
): PlannedRows {
  const { experts } = model.extents
  const layout = maxRows === undefined ? 'packed' : 'masked'
  const counts = workspace.int32('counts', [experts])
  const offsets = workspace.int32('offsets', [experts + 1])
  const destination = workspace.int32('destination', indices.shape)
  const lead = maxRows === undefined ? [indices.size] : [experts, maxRows]
  const rows = lead.reduce((product, extent) => product * extent, 1)
  enqueuePlanPermutation(stream, {
    indices,
    experts,
    layout,
    alignment: 1,
    maxRows: maxRows ?? 0,
    rowCapacity: rows,
    counts,
    offsets,
    destination,
    groupIndex: undefined,
  })
  const common = { layout, destination, lead } as const
  if (maxRows === undefined) {
    const rowCount = offsets.slice(0, experts, experts + 1)
    return { ...common, groups: offsets, set: { rows, rowCount } }
  }
  return { ...common, groups: counts, set: { rows, groupSizes: counts, rowsPerGroup: maxRows } }
}

/** The block that every token passes; undefined without one. */
function sharedExperts(run: LayerRun, a: QuantizedTensor): Tensor<'bf16'> | undefined {
  const { stream, workspace, model } = run
  if (model.shared === undefined) return undefined
  const { shared, hidden } = model.extents
  const tokens = a.shape[0] as number
  const multiply = (left: QuantizedTensor, right: QuantizedTensor, out: Tensor): void =>
    enqueueDense(stream, denseProblem('NT', left, right, PRODUCT), { a: left, b: right, out })
  const gateUp = workspace.bf16('sharedGateUp', [tokens, 2 * shared])
  multiply(a, model.shared.gateUp, gateUp)
  const activation = workspace.quantized('sharedActivation', [tokens, shared])
  enqueueSwigluQuantize(stream, { set: { rows: tokens }, input: gateUp, out: activation })
  const out = workspace.bf16('sharedOut', [tokens, hidden])
  multiply(activation, model.shared.down, out)
  return out
}
