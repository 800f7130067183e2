import type { GemmForm } from '@deepgemm/core'
import type { Device } from '@deepgemm/runtime'
import { type GemmCase, gemmCases, type ShapeOptions } from '@deepgemm/testing'
import fc from 'fast-check'
import { expectProducts, startOutput } from './output.js'
import { expectedProducts, GEMMS, type Placement, place } from './products.js'

const orientation = fc.constantFrom('k-major' as const, 'mn-major' as const)
/** Between rows, in elements that are one byte (`values`) or up to four (`out`). */
const GAPS = {
  cpu: { values: 1, out: 1 },
  // Bulk copies need rows at multiples of 16 bytes.
  cuda: { values: 16, out: 8 },
} as const

function gaps(multipleOf: number): fc.Arbitrary<number> {
  const some = fc.integer({ min: 1, max: Math.max(3, Math.floor(20 / multipleOf)) })
  return fc.oneof(
    fc.constant(0),
    some.map((count) => count * multipleOf),
  )
}

/** Shapes that a kind of device multiplies. */
function legalShapes(kind: string, options: ShapeOptions): ShapeOptions {
  return kind === 'cpu' ? options : { ...options, multipleOfN: 8, multipleOfK: 16 }
}

/** A random product and the way its operands and its output lie in memory. */
export type PlacedCase = {
  readonly spec: GemmCase
  readonly placement: Placement
  readonly gap: number
}

export function placedCases(options: ShapeOptions = {}, kind = 'cpu'): fc.Arbitrary<PlacedCase> {
  const { values, out } = GAPS[kind === 'cpu' ? 'cpu' : 'cuda']
  return fc.record({
    spec: gemmCases(legalShapes(kind, options)),
    placement: fc.record({
      orientations: fc.tuple(orientation, orientation),
      gaps: fc.tuple(gaps(values), gaps(values)),
    }),
    gap: gaps(out),
  })
}

/** Runs the product on the device in `form` and compares it with the oracle. */
export async function checkProduct(
  device: Device,
  form: GemmForm,
  { spec, placement, gap }: PlacedCase,
): Promise<void> {
  const { m, n, out: dtype, accumulate, seed } = spec
  const { a, b } = place(device, spec, form, placement)
  const started = startOutput(device, { dtype, shape: [m, n], gap, accumulate, seed })
  await GEMMS[form](a, b, { out: started.out, accumulate })
  await expectProducts(started, expectedProducts(spec, started.start, device.kind))
  for (const owned of [a, b, started.out]) owned.dispose()
}
