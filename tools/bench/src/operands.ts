// Operands on a device, made from random codes: making them takes no time worth mentioning.

import { allocateQuantized } from '@deepgemm/runtime'
import type { Device, QuantizedTensor, Recipe } from 'deepgemm'
import { randomCodes, uniformArray } from './random.js'

const SCALE = 0.01

/** Enough codes for one matrix; larger tensors repeat them. */
const PATTERN_BYTES = 1 << 25
let pattern: Uint8Array<ArrayBuffer> | undefined

/** A quantised tensor of [R, C] or [G, R, C] with random values. */
export async function randomQuantized(
  device: Device,
  shape: readonly number[],
  recipe: Recipe,
): Promise<QuantizedTensor> {
  const tensor = allocateQuantized(device, { shape, recipe, label: 'benchmark' })
  pattern ??= randomCodes(PATTERN_BYTES, 1)
  const { values, scales } = tensor
  for (let at = 0; at < values.byteLength; at += PATTERN_BYTES) {
    const length = Math.min(PATTERN_BYTES, values.byteLength - at)
    await values.storage.write(at, pattern.subarray(0, length))
  }
  // Different ones: a product that takes the wrong scale is wrong.
  const grid = uniformArray(scales.tensor.size, 2).map((value) => SCALE * (1 + value / 2))
  await scales.tensor.storage.write(0, new Uint8Array(grid.buffer))
  return tensor
}

/** Bytes of the weights that are in use at once: several times the last cache. */
export const COLD_BYTES: number = 2 ** 27
