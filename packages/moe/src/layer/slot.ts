// One weight matrix on the device, filled from one or more tensors below one another.

import {
  BLOCK,
  CheckpointError,
  ceilDiv,
  decodeArray,
  dtypeBytes,
  FLOAT_DTYPES,
  type FloatDType,
  QuantizedTensor,
  SCALE_DTYPES,
  Scales,
  type Tensor,
} from '@deepgemm/core'
import type { Device } from '@deepgemm/runtime'
import { enqueueQuantize, prepareQuantize } from '../backend.js'
import { type Entry, requireEntry, type Source, scaleName } from './source.js'

/** Dtypes that the scales of a checkpoint may have. */
const STORED_SCALES = [...SCALE_DTYPES, 'bf16'] as const

/** Matrix `index` of a [G, R, C] tensor with 128x128 scales, as a view. */
export function slotOf({ values, scales }: QuantizedTensor, index: number): QuantizedTensor {
  const matrix = <T extends Tensor>(tensor: T): T =>
    tensor.slice(0, index, index + 1).reshape(tensor.shape.slice(1)) as T
  const { recipe, orientation } = scales
  const own = new Scales(matrix(scales.tensor), { recipe, orientation })
  return new QuantizedTensor(matrix(values), own)
}

/**
 * Fills a matrix with the rows of the entries. FP8 weights are copied with their scales, floats are
 * quantised.
 *
 * @throws {CheckpointError}
 */
export async function fillSlot(
  device: Device,
  source: Source,
  slot: QuantizedTensor,
  entries: readonly Entry[],
): Promise<void> {
  if (entries.every(({ dtype }) => dtype === 'e4m3')) {
    requireWholeBlocks(entries)
    let row = 0
    for (const entry of entries) {
      await copyFp8(source, slot, entry, row)
      row += entry.shape[0] as number
    }
    return
  }
  const [first] = entries as [Entry]
  const other = entries.find(({ dtype }) => dtype !== first.dtype)
  const dtype = FLOAT_DTYPES.find((float) => float === first.dtype)
  if (other === undefined && dtype !== undefined) {
    await quantizeRows(device, slot, entries, dtype)
    return
  }
  throw new CheckpointError(`The weight ${first.name} cannot be loaded`, {
    given: entries.map((entry) => entry.dtype).join(' and '),
    allowed: `e4m3, or one of ${FLOAT_DTYPES.join(', ')} for all weights of a product`,
  })
}

/** Blocks of stacked weights stay whole only when all but the last fill their last block. */
function requireWholeBlocks(entries: readonly Entry[]): void {
  const bad = entries.slice(0, -1).find(({ shape }) => (shape[0] as number) % BLOCK !== 0)
  if (bad === undefined) return
  throw new CheckpointError(`The FP8 weight ${bad.name} cannot be stacked`, {
    given: `${bad.shape[0]} rows`,
    allowed: `a multiple of ${BLOCK}, so that scale blocks stay whole`,
    remedy: 'Load the original weights; they are quantised after stacking.',
  })
}

async function copyFp8(
  source: Source,
  { values, scales }: QuantizedTensor,
  entry: Entry,
  row: number,
): Promise<void> {
  const [rows, columns] = entry.shape as readonly [number, number]
  const gridColumns = ceilDiv(columns, BLOCK)
  const shape = [ceilDiv(rows, BLOCK), gridColumns]
  const stored = requireEntry(source, scaleName(entry.name), shape)
  if (!(STORED_SCALES as readonly string[]).includes(stored.dtype)) {
    throw new CheckpointError(`The scales ${stored.name} have the wrong dtype`, {
      given: stored.dtype,
      allowed: STORED_SCALES.join(', '),
    })
  }
  const grid = decodeArray(stored.dtype, await stored.read())
  const at = values.byteOffset + row * columns
  await values.storage.write(at, await entry.read())
  const gridAt = scales.tensor.byteOffset + (row / BLOCK) * gridColumns * dtypeBytes('f32')
  await scales.tensor.storage.write(gridAt, new Uint8Array(grid.buffer))
}

async function quantizeRows(
  device: Device,
  slot: QuantizedTensor,
  entries: readonly Entry[],
  dtype: FloatDType,
): Promise<void> {
  const source = await floatRows(device, entries, dtype, slot.shape)
  try {
    const call = { source, out: slot, transpose: false }
    const loading = prepareQuantize(device, call)
    if (loading !== undefined) await loading
    enqueueQuantize(device.defaultStream, call)
    await device.defaultStream.synchronize()
  } finally {
    source.dispose()
  }
}

/** The rows of float entries below one another, on the device. */
export async function floatRows(
  device: Device,
  entries: readonly Entry[],
  dtype: FloatDType,
  shape: readonly number[],
): Promise<Tensor<FloatDType>> {
  const out = device.zeros({ dtype, shape, label: 'weights to quantise' })
  let at = 0
  for (const entry of entries) {
    const bytes = await entry.read()
    await out.storage.write(at, bytes)
    at += bytes.byteLength
  }
  return out
}
