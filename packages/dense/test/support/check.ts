import type { GemmForm } from '@deepgemm/core'
import type { Device } from '@deepgemm/runtime'
import { type GemmCase, gemmCases, type ShapeOptions } from '@deepgemm/testing'
import fc from 'fast-check'
import { expectProducts, startOutput } from './output.js'
import { expectedProducts, GEMMS, type Placement, place } from './products.js'

const orientation = fc.constantFrom('k-major' as const, 'mn-major' as const)
const gap = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 20 }))

/** A random product and the way its operands and its output lie in memory. */
export type PlacedCase = {
  readonly spec: GemmCase
  readonly placement: Placement
  readonly gap: number
}

export function placedCases(options: ShapeOptions = {}): fc.Arbitrary<PlacedCase> {
  return fc.record({
    spec: gemmCases(options),
    placement: fc.record({
      orientations: fc.tuple(orientation, orientation),
      gaps: fc.tuple(gap, gap),
    }),
    gap,
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
  await expectProducts(started, expectedProducts(spec, started.start))
  for (const owned of [a, b, started.out]) owned.dispose()
}
