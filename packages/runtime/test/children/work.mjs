// Products of zeros: work that takes a while.

import { allocateQuantized } from '@deepgemm/runtime'
import { cpuGemm, cpuQueue } from '@deepgemm/runtime/cpu'

const SIZE = 1024

/** Enqueues `count` products of square matrices and returns at once. */
export function enqueueProducts(device, count, stream = device.defaultStream, size = SIZE) {
  const shape = [size, size]
  const a = allocateQuantized(device, { shape, recipe: '1x128' })
  const b = allocateQuantized(device, { shape, recipe: '128x128' })
  const out = device.zeros({ dtype: 'f32', shape })
  const problem = { m: size, n: size, k: size, groups: 1, accumulate: false }
  for (let i = 0; i < count; i++) cpuGemm(cpuQueue(device, stream), problem, { a, b, out })
  return [a, b, out]
}
