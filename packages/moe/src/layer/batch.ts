import type { QuantizedTensor, Tensor } from '@deepgemm/core'
import type { RowSet } from '../backend.js'
import type { MoeModel } from './model.js'
import type { Workspace } from './workspace.js'

/** The buffers of a run of so many tokens: views of the workspace. */
export type Batch = {
  readonly layout: 'packed' | 'masked'
  /** Rows of all experts, and of one in the masked layout (else 0). */
  readonly rows: number
  readonly maxRows: number
  readonly tokens: QuantizedTensor
  /** [T, E], what the router says; a view of as many columns as its product has. */
  readonly logits: { readonly all: Tensor<'f32'>; readonly experts: Tensor<'f32'> }
  readonly indices: Tensor<'i32'>
  readonly weights: Tensor<'f32'>
  readonly destination: Tensor<'i32'>
  readonly counts: Tensor<'i32'>
  readonly offsets: Tensor<'i32'>
  /** Which rows belong to whom, for the products and for the activation. */
  readonly groups: Tensor<'i32'>
  readonly set: RowSet
  readonly permuted: QuantizedTensor
  readonly gateUp: Tensor<'bf16'>
  readonly activation: QuantizedTensor
  readonly expertOut: Tensor<'bf16'>
  readonly shared: SharedBatch | undefined
}

type SharedBatch = {
  readonly gateUp: Tensor<'bf16'>
  readonly activation: QuantizedTensor
  readonly out: Tensor<'bf16'>
}

/**
 * @param maxRows rows per expert of the masked layout, whose shapes do not depend on the routing;
 *   undefined for the packed layout
 */
export function batchOf(
  workspace: Workspace,
  model: MoeModel,
  tokens: number,
  maxRows: number | undefined,
): Batch {
  const { experts, hidden, intermediate } = model.extents
  const slots = [tokens, model.gating.topK] as const
  const lead = maxRows === undefined ? [slots[0] * slots[1]] : [experts, maxRows]
  const rows = lead.reduce((product, extent) => product * extent, 1)
  const logits = workspace.f32('logits', [tokens, model.router?.shape[0] ?? experts])
  return {
    rows,
    ...groupsOf(workspace, experts, rows, maxRows),
    tokens: workspace.quantized('tokens', [tokens, hidden]),
    logits: { all: logits, experts: logits.slice(1, 0, experts) },
    indices: workspace.int32('indices', slots),
    weights: workspace.f32('weights', slots),
    destination: workspace.int32('destination', slots),
    permuted: workspace.quantized('permuted', [...lead, hidden]),
    gateUp: workspace.bf16('gateUp', [...lead, 2 * intermediate]),
    activation: workspace.quantized('activation', [...lead, intermediate]),
    expertOut: workspace.bf16('expertOut', [...lead, hidden]),
    shared: sharedBatch(workspace, model, tokens),
  }
}

type Groups = Pick<Batch, 'layout' | 'maxRows' | 'counts' | 'offsets' | 'groups' | 'set'>

function groupsOf(
  workspace: Workspace,
  experts: number,
  rows: number,
  maxRows: number | undefined,
): Groups {
  const counts = workspace.int32('counts', [experts])
  const offsets = workspace.int32('offsets', [experts + 1])
  if (maxRows === undefined) {
    const set = { rows, rowCount: offsets.slice(0, experts, experts + 1) }
    return { layout: 'packed', maxRows: 0, counts, offsets, groups: offsets, set }
  }
  const set = { rows, groupSizes: counts, rowsPerGroup: maxRows }
  return { layout: 'masked', maxRows, counts, offsets, groups: counts, set }
}

function sharedBatch(
  workspace: Workspace,
  { extents, shared }: MoeModel,
  tokens: number,
): SharedBatch | undefined {
  if (shared === undefined) return undefined
  return {
    gateUp: workspace.bf16('sharedGateUp', [tokens, 2 * extents.shared]),
    activation: workspace.quantized('sharedActivation', [tokens, extents.shared]),
    out: workspace.bf16('sharedOut', [tokens, extents.hidden]),
  }
}
