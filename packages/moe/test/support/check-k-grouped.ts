import { kGroupedScaleColumns } from '@deepgemm/core'
import { groupedGemmKGrouped, KGroupedTensor } from '@deepgemm/moe'
import type { Device } from '@deepgemm/runtime'
import {
  createRandom,
  extents,
  groupSizes,
  kGroupOperands,
  randomCodes,
  randomScales,
  referenceKGrouped,
  seeds,
} from '@deepgemm/testing'
import fc from 'fast-check'
import { disposeAll } from './dispose.js'
import { limitsOf } from './grouped-cases.js'
import { expectResult, startOutput } from './output.js'

/** A k-grouped product. */
export type KGroupedCase = {
  readonly sizes: number[]
  readonly m: number
  readonly n: number
  readonly scaleDType: 'f32' | 'ue8m0'
  readonly out: 'bf16' | 'f32'
  readonly accumulate: boolean
  /** Where the sizes of the groups are. */
  readonly onDevice: boolean
  readonly seed: number
}

export function kGroupedCases(kind: string, maxSize = 300): fc.Arbitrary<KGroupedCase> {
  return fc.record({
    sizes: groupSizes({ maxGroups: 5, maxSize }),
    m: extents({ max: 70 }),
    n: extents({ max: 70, multipleOf: limitsOf(kind).n }),
    scaleDType: fc.constantFrom<'f32' | 'ue8m0'>('f32', 'ue8m0'),
    out: fc.constantFrom<'bf16' | 'f32'>('f32', 'bf16'),
    accumulate: fc.boolean(),
    onDevice: fc.boolean(),
    seed: seeds(),
  })
}

const NAN_CODE = 0x7f

/** Random codes and scales [rows, ΣK], on the device and as the oracle reads them. */
export function kGroupedOperand(device: Device, rows: number, spec: KGroupedCase, seed: number) {
  const { sizes, scaleDType } = spec
  const random = createRandom(seed)
  const columns = kGroupedScaleColumns(sizes)
  const used = sizes.reduce((total, size) => total + size, 0)
  const codes = randomCodes(random, rows * used)
  const grid = randomScales(random, rows * columns, { powersOfTwo: scaleDType === 'ue8m0' })
  const stored = Float32Array.from(grid, (_, i) => {
    const [column, row] = [Math.floor(i / rows), i % rows]
    return grid[row * columns + column] as number
  })
  // Rows of whole steps; columns after the last group are not read.
  const grain = limitsOf(device.kind).k
  const columnsOfValues = Math.max(grain, Math.ceil(used / grain) * grain)
  const padded = new Uint8Array(rows * columnsOfValues).fill(NAN_CODE)
  for (let row = 0; row < rows; row++) {
    padded.set(codes.subarray(row * used, (row + 1) * used), row * columnsOfValues)
  }
  const values = device.tensor(padded, { dtype: 'e4m3', shape: [rows, columnsOfValues] })
  const scales = device.tensor(stored, { dtype: scaleDType, shape: [columns, rows] })
  return {
    tensor: new KGroupedTensor(values, scales),
    host: kGroupOperands(rows, sizes, codes, grid),
  }
}

export async function checkKGrouped(device: Device, spec: KGroupedCase): Promise<void> {
  const { sizes, m, n, accumulate } = spec
  const { accumulation } = limitsOf(device.kind)
  const a = kGroupedOperand(device, m, spec, spec.seed)
  const b = kGroupedOperand(device, n, spec, ~spec.seed)
  const started = await startOutput(device, { ...spec, shape: [sizes.length, m, n] })
  const onHost = Int32Array.from(sizes)
  const onDevice = device.tensor(onHost, { dtype: 'i32', shape: [sizes.length] })
  const groups = spec.onDevice ? onDevice : onHost
  await groupedGemmKGrouped(a.tensor, b.tensor, groups, { out: started.out, accumulate })
  const c = started.c && { c: started.c }
  await expectResult(started, referenceKGrouped({ a: a.host, b: b.host, ...c, ...accumulation }))
  disposeAll(a.tensor, b.tensor, started.out, onDevice)
}
