import {
  CONTIGUOUS_ALIGNMENT,
  OptionError,
  requireInteger,
  requireKnownOptions,
  requireOneOf,
  type Tensor,
} from '@deepgemm/core'
import { type Device, resolveStream, type Stream } from '@deepgemm/runtime'
import { enqueuePlanPermutation, planStatus, preparePlan, requirePlanned } from './backend.js'
import { requireTensor } from './checks.js'
import { MAX_EXPERTS } from './gating.js'
import type { RowsLayout } from './grouped/call.js'

export type PermutationOptions = {
  readonly layout: RowsLayout
  readonly experts: number
  /** Packed and contiguous: rows of the permuted buffers. Default: enough for any routing. */
  readonly rows?: number
  /** Masked: rows of one expert. Default: the number of tokens. */
  readonly maxRows?: number
  /** Default: the device's default stream. */
  readonly stream?: Stream
}

const LAYOUTS: readonly RowsLayout[] = ['contiguous', 'packed', 'masked']
const MAX_ROWS = 2 ** 31 - 1

/** Rows of the permuted buffers: in all, and of one expert in the masked layout (else 0). */
type PermutedRows = { readonly rows: number; readonly maxRows: number }

/** Where the row of every (token, expert) pair stands, and how many rows each expert has. */
export class Permutation {
  readonly layout: RowsLayout
  readonly experts: number
  readonly rows: number
  readonly maxRows: number
  /** int32 [T, topK]: row, or -1 for pairs that have none. */
  readonly destination: Tensor<'i32'>
  /** int32 [E]: rows of each expert. */
  readonly counts: Tensor<'i32'>
  /** What the grouped product takes: groupIndex, groupOffsets or groupSizes (the counts). */
  readonly groups: Tensor<'i32'>
  readonly #offsets: Tensor<'i32'>

  /** Use `planPermutation`. */
  constructor(shape: PermutedShape, tensors: PermutationTensors) {
    this.layout = shape.layout
    this.experts = shape.experts
    this.rows = shape.rows
    this.maxRows = shape.maxRows
    this.destination = tensors.destination
    this.counts = tensors.counts
    this.#offsets = tensors.offsets
    const { counts, offsets, groupIndex = counts } = tensors
    this.groups = { contiguous: groupIndex, packed: offsets, masked: counts }[shape.layout]
  }

  dispose(): void {
    for (const tensor of [this.destination, this.counts, this.#offsets, this.groups]) {
      tensor.dispose()
    }
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}

type PermutedShape = PermutedRows & { readonly layout: RowsLayout; readonly experts: number }

type PermutationTensors = {
  readonly destination: Tensor<'i32'>
  readonly counts: Tensor<'i32'>
  readonly offsets: Tensor<'i32'>
  readonly groupIndex: Tensor<'i32'> | undefined
}

/**
 * Groups the (token, expert) pairs of `indices` [T, topK] by expert and gives each pair a row. Rows
 * of one expert stand in the order of the tokens. An index of -1 is a pair that is not computed.
 *
 * Resolves when the result is ready.
 *
 * @throws {GroupError} for an index out of range, or more rows than there is room for
 * @throws {ShapeError | DTypeError | LayoutError | OptionError | DeviceError | DisposedError}
 */
export async function planPermutation(
  indices: Tensor<'i32'>,
  options: PermutationOptions,
): Promise<Permutation> {
  requireKnownOptions('planPermutation', options, [
    'layout',
    'experts',
    'rows',
    'maxRows',
    'stream',
  ])
  const device = indices.device as Device
  requireTensor('The expert indices', indices, device, {
    dtypes: ['i32'],
    ranks: [2],
    dimensions: '[tokens, topK]',
    contiguous: true,
  })
  const shape = permutedShape(indices.shape as readonly [number, number], options)
  const stream = resolveStream(device, options.stream)
  const tensors = allocate(device, indices, shape)
  const permutation = new Permutation(shape, tensors)
  const status = planStatus(device)
  try {
    const call = {
      indices,
      experts: shape.experts,
      layout: shape.layout,
      alignment: CONTIGUOUS_ALIGNMENT,
      maxRows: shape.maxRows,
      rowCapacity: shape.rows,
      ...tensors,
      status,
    }
    const loading = preparePlan(device, call)
    if (loading !== undefined) await loading
    enqueuePlanPermutation(stream, call)
    await stream.synchronize()
    await requirePlanned(call)
  } catch (error) {
    permutation.dispose()
    throw error
  } finally {
    status?.dispose()
  }
  return permutation
}

/** Rows that any routing of tokens × topK pairs fits in. */
function roomFor(layout: RowsLayout, pairs: number, experts: number): number {
  if (layout === 'packed') return pairs
  // An expert with rows wastes at most the alignment less one; the sum is a multiple of it.
  const most = pairs + Math.min(experts, pairs) * (CONTIGUOUS_ALIGNMENT - 1)
  return most - (most % CONTIGUOUS_ALIGNMENT)
}

function permutedShape(
  [tokens, topK]: readonly [number, number],
  options: PermutationOptions,
): PermutedShape {
  const layout = requireOneOf('The option layout', options.layout, LAYOUTS)
  const experts = requireInteger('The option experts', options.experts, 1, MAX_EXPERTS)
  const extra = layout === 'masked' ? 'rows' : 'maxRows'
  if (options[extra] !== undefined) {
    throw new OptionError(`The option ${extra} has no meaning in the ${layout} layout`, {
      given: String(options[extra]),
      allowed: layout === 'masked' ? 'maxRows' : 'rows',
    })
  }
  if (layout === 'masked') {
    const limit = Math.floor(MAX_ROWS / experts)
    const maxRows = requireInteger('The option maxRows', options.maxRows ?? tokens, 0, limit)
    return { layout, experts, rows: experts * maxRows, maxRows }
  }
  const wanted = options.rows ?? roomFor(layout, tokens * topK, experts)
  const rows = requireInteger('The option rows', wanted, 0, MAX_ROWS)
  return { layout, experts, rows, maxRows: 0 }
}

function allocate(device: Device, indices: Tensor, shape: PermutedShape): PermutationTensors {
  const int32 = (label: string, ...extents: number[]): Tensor<'i32'> =>
    device.zeros({ dtype: 'i32', shape: extents, label })
  return {
    destination: device.zeros({ dtype: 'i32', shape: indices.shape, label: 'destination rows' }),
    counts: int32('expert counts', shape.experts),
    offsets: int32('expert offsets', shape.experts + 1),
    groupIndex: shape.layout === 'contiguous' ? int32('group index', shape.rows) : undefined,
  }
}
