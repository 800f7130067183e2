import { contiguousGroups, packedOffsets } from '@deepgemm/core'
import { groupedGemmContiguous, groupedGemmMasked, groupedGemmPacked } from '@deepgemm/moe'
import type { Device } from '@deepgemm/runtime'
import {
  operandOf,
  referenceContiguous,
  referenceMasked,
  referencePacked,
  upload,
} from '@deepgemm/testing'
import { disposeAll } from './dispose.js'
import { activations, limitsOf, type RowsCase, weights } from './grouped-cases.js'
import { expectResult, startOutput } from './output.js'

function operands(device: Device, spec: RowsCase, rows: number) {
  const [hostA, hostB] = [activations(spec, rows), weights(spec)]
  const [ofA, ofB] = spec.orientations
  return {
    a: upload(device, hostA, ofA),
    b: upload(device, hostB, ofB),
    host: { a: operandOf(hostA), b: hostB.map(operandOf) },
  }
}

export async function checkContiguous(device: Device, spec: RowsCase): Promise<void> {
  const { accumulation } = limitsOf(device.kind)
  const { rows, groupIndex } = contiguousGroups(spec.sizes)
  const { a, b, host } = operands(device, spec, rows)
  const { accumulate } = spec
  const started = await startOutput(device, { ...spec, shape: [rows, spec.n] })
  const index = Int32Array.from(groupIndex)
  await groupedGemmContiguous(a, b, index, { out: started.out, accumulate })
  const c = started.c && { c: started.c }
  await expectResult(started, referenceContiguous({ ...host, groupIndex, ...c, ...accumulation }))
  disposeAll(a, b, started.out)
}

/** `before` and `after` are rows outside all groups. */
export async function checkPacked(
  device: Device,
  spec: RowsCase,
  before = 0,
  after = 0,
): Promise<void> {
  const { accumulation } = limitsOf(device.kind)
  const offsets = Int32Array.from(packedOffsets(spec.sizes), (offset) => offset + before)
  const rows = (offsets.at(-1) as number) + after
  const { a, b, host } = operands(device, spec, rows)
  const { accumulate } = spec
  const started = await startOutput(device, { ...spec, shape: [rows, spec.n] })
  await groupedGemmPacked(a, b, offsets, { out: started.out, accumulate })
  const c = started.c && { c: started.c }
  await expectResult(started, referencePacked({ ...host, offsets, ...c, ...accumulation }))
  disposeAll(a, b, started.out)
}

/** `spare` rows are in every group beyond the largest size. */
export async function checkMasked(
  device: Device,
  spec: RowsCase,
  spare = 0,
  expectedM = 1,
): Promise<void> {
  const { accumulation } = limitsOf(device.kind)
  const maxM = Math.max(...spec.sizes) + spare
  const hostA = spec.sizes.map((_, group) => activations(spec, maxM, spec.seed - group))
  const hostB = weights(spec)
  const [ofA, ofB] = spec.orientations
  const [a, b] = [upload(device, hostA, ofA), upload(device, hostB, ofB)]
  const { accumulate } = spec
  const started = await startOutput(device, { ...spec, shape: [hostA.length, maxM, spec.n] })
  const sizes = Int32Array.from(spec.sizes)
  await groupedGemmMasked(a, b, sizes, { out: started.out, accumulate, expectedM })
  const host = { a: hostA.map(operandOf), b: hostB.map(operandOf), sizes }
  const c = started.c && { c: started.c }
  await expectResult(started, referenceMasked({ ...host, ...c, ...accumulation }))
  disposeAll(a, b, started.out)
}
