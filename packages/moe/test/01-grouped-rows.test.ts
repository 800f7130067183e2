import { contiguousGroups, packedOffsets } from '@deepgemm/core'
import { groupedGemmContiguous, groupedGemmMasked, groupedGemmPacked } from '@deepgemm/moe'
import { Device } from '@deepgemm/runtime'
import {
  availableDevices,
  operandOf,
  referenceContiguous,
  referenceMasked,
  referencePacked,
  upload,
} from '@deepgemm/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { disposeAll } from './support/dispose.js'
import {
  activations,
  limitsOf,
  plainCase,
  type RowsCase,
  rowsCases,
  weights,
} from './support/grouped-cases.js'
import { expectResult, startOutput } from './support/output.js'

describe.each(await availableDevices(Device))('a grouped product over rows on $kind', (kind) => {
  const { runs: numRuns, accumulation } = limitsOf(kind.kind)
  let device: Device

  beforeAll(async () => {
    device = await kind.open()
  })
  afterAll(() => device.dispose())

  function operands(spec: RowsCase, rows: number) {
    const [hostA, hostB] = [activations(spec, rows), weights(spec)]
    const [ofA, ofB] = spec.orientations
    return {
      a: upload(device, hostA, ofA),
      b: upload(device, hostB, ofB),
      host: { a: operandOf(hostA), b: hostB.map(operandOf) },
    }
  }

  async function checkContiguous(spec: RowsCase): Promise<void> {
    const { rows, groupIndex } = contiguousGroups(spec.sizes)
    const { a, b, host } = operands(spec, rows)
    const { accumulate } = spec
    const started = await startOutput(device, { ...spec, shape: [rows, spec.n] })
    const index = Int32Array.from(groupIndex)
    await groupedGemmContiguous(a, b, index, { out: started.out, accumulate })
    const c = started.c && { c: started.c }
    await expectResult(started, referenceContiguous({ ...host, groupIndex, ...c, ...accumulation }))
    disposeAll(a, b, started.out)
  }

  async function checkPacked(spec: RowsCase, before = 0, after = 0): Promise<void> {
    const offsets = Int32Array.from(packedOffsets(spec.sizes), (offset) => offset + before)
    const rows = (offsets.at(-1) as number) + after
    const { a, b, host } = operands(spec, rows)
    const { accumulate } = spec
    const started = await startOutput(device, { ...spec, shape: [rows, spec.n] })
    await groupedGemmPacked(a, b, offsets, { out: started.out, accumulate })
    const c = started.c && { c: started.c }
    await expectResult(started, referencePacked({ ...host, offsets, ...c, ...accumulation }))
    disposeAll(a, b, started.out)
  }

  async function checkMasked(spec: RowsCase, spare = 0, expectedM = 1): Promise<void> {
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

  it('multiplies contiguous groups and zeroes padding rows', async () => {
    // A group takes 128 rows whatever its size, and padding costs the reference nothing.
    await fc.assert(fc.asyncProperty(rowsCases(40, kind.kind), checkContiguous), { numRuns })
  })

  it('multiplies packed groups and leaves rows outside untouched', async () => {
    const spare = fc.nat({ max: 5 })
    await fc.assert(fc.asyncProperty(rowsCases(70, kind.kind), spare, spare, checkPacked), {
      numRuns,
    })
  })

  it('multiplies masked groups and leaves rows beyond their size untouched', async () => {
    const [spare, hint] = [fc.nat({ max: 5 }), fc.nat({ max: 100 })]
    await fc.assert(fc.asyncProperty(rowsCases(40, kind.kind), spare, hint, checkMasked), {
      numRuns,
    })
  })

  it('multiplies a contiguous group that fills several aligned blocks', async () => {
    await checkContiguous(plainCase([263, 0, 5]))
  })

  it('multiplies groups of a single token for each of 256 experts', async () => {
    const sizes = new Array<number>(256).fill(1)
    await checkPacked(plainCase(sizes))
    await checkMasked(plainCase(sizes), 1)
  })

  it('multiplies when the only token goes to the last of 256 experts', async () => {
    const sizes = new Array<number>(255).fill(0).concat(1)
    await checkPacked(plainCase(sizes))
    await checkMasked(plainCase(sizes))
    await checkContiguous(plainCase(sizes))
  })

  it('multiplies when all tokens go to one expert', async () => {
    await checkPacked(plainCase([0, 400, 0, 0]))
    await checkMasked(plainCase([0, 400, 0, 0]), 0, 1)
  })

  it('writes nothing when all groups are empty', async () => {
    await checkPacked(plainCase([0, 0, 0]), 2, 3)
    await checkMasked(plainCase([0, 0, 0]), 3)
  })
})
