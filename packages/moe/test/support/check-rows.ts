import {
  contiguousGroups,
  type GemmWeights,
  packedOffsets,
  type QuantizedTensor,
} from '@deepgemm/core'
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

/** Turns uploaded weights into what the product is given; the same where they are given as they are. */
type WeightsForm = (weights: QuantizedTensor) => GemmWeights | Promise<GemmWeights>

const asTheyAre: WeightsForm = (weights) => weights

function operands(device: Device, spec: RowsCase, rows: number) {
  const [hostA, hostB] = [activations(spec, rows), weights(spec)]
  const [ofA, ofB] = spec.orientations
  return {
    a: upload(device, hostA, ofA),
    b: upload(device, hostB, ofB),
    host: { a: operandOf(hostA), b: hostB.map(operandOf) },
  }
}

export async function checkContiguous(
  device: Device,
  spec: RowsCase,
  form = asTheyAre,
): Promise<void> {
  const { accumulation } = limitsOf(device.kind)
  const { rows, groupIndex } = contiguousGroups(spec.sizes)
  const { a, b, host } = operands(device, spec, rows)
  const { accumulate } = spec
  const started = await startOutput(device, { ...spec, shape: [rows, spec.n] })
  const index = Int32Array.from(groupIndex)
  const given = await form(b)
  await groupedGemmContiguous(a, given, index, { out: started.out, accumulate })
  const c = started.c && { c: started.c }
  await expectResult(started, referenceContiguous({ ...host, groupIndex, ...c, ...accumulation }))
  disposeAll(a, b, given, started.out)
}

/** `before` and `after` are rows outside all groups. */
export async function checkPacked(
  device: Device,
  spec: RowsCase,
  before = 0,
  after = 0,
  form = asTheyAre,
): Promise<void> {
  const { accumulation } = limitsOf(device.kind)
  const offsets = Int32Array.from(packedOffsets(spec.sizes), (offset) => offset + before)
  const rows = (offsets.at(-1) as number) + after
  const { a, b, host } = operands(device, spec, rows)
  const { accumulate } = spec
  const started = await startOutput(device, { ...spec, shape: [rows, spec.n] })
  const given = await form(b)
  await groupedGemmPacked(a, given, offsets, { out: started.out, accumulate })
  const c = started.c && { c: started.c }
  await expectResult(started, referencePacked({ ...host, offsets, ...c, ...accumulation }))
  disposeAll(a, b, given, started.out)
}

/** `spare` rows are in every group beyond the largest size. */
export async function checkMasked(
  device: Device,
  spec: RowsCase,
  spare = 0,
  expectedM = 1,
  form = asTheyAre,
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
  const given = await form(b)
  await groupedGemmMasked(a, given, sizes, { out: started.out, accumulate, expectedM })
  const host = { a: hostA.map(operandOf), b: hostB.map(operandOf), sizes }
  const c = started.c && { c: started.c }
  await expectResult(started, referenceMasked({ ...host, ...c, ...accumulation }))
  disposeAll(a, b, given, started.out)
}
