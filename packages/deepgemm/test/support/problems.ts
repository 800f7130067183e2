import type { GemmForm } from '@deepgemm/core'
import type { Device } from '@deepgemm/runtime'
import { extents, type ShapeOptions } from '@deepgemm/testing'
import fc from 'fast-check'
import { checkProduct, placedCases } from '../../../dense/test/support/check.js'
import { checkKGrouped, kGroupedCases } from '../../../moe/test/support/check-k-grouped.js'
import { checkContiguous, checkMasked, checkPacked } from '../../../moe/test/support/check-rows.js'
import { limitsOf, rowsCases } from '../../../moe/test/support/grouped-cases.js'

/** Every layout of the library; their number and that of the sizes below have no common divisor. */
export const KINDS = [
  'NT',
  'NN',
  'TN',
  'TT',
  'contiguous',
  'packed',
  'masked',
  'k-grouped',
] as const

type Check = (device: Device) => Promise<void>

/** Of five problems three are small, one has several tiles and one is long or wide. */
const SIZES: readonly ShapeOptions[] = [
  { maxM: 70, maxN: 96, maxK: 400 },
  { maxM: 16, maxN: 300, maxK: 700 },
  { maxM: 160, maxN: 160, maxK: 272 },
  { maxM: 300, maxN: 300, maxK: 528 },
  { maxM: 24, maxN: 64, maxK: 8192 },
]

/** The problem with this number; `strictest` is the device whose rules it keeps. */
export function problem(kind: (typeof KINDS)[number], number: number, strictest: string): Check {
  const draw = <T>(arbitrary: fc.Arbitrary<T>): T =>
    fc.sample(arbitrary, { seed: number, numRuns: 1 })[0] as T
  const few = fc.nat({ max: 5 })
  if (kind === 'k-grouped') {
    const spec = draw(kGroupedCases(strictest, number % 5 === 0 ? 1500 : 300))
    return (device) => checkKGrouped(device, spec)
  }
  if (kind === 'contiguous' || kind === 'packed' || kind === 'masked') {
    const [spec, one, two] = draw(fc.tuple(rowsSpec(number, strictest), few, few))
    if (kind === 'contiguous') return (device) => checkContiguous(device, spec)
    if (kind === 'packed') return (device) => checkPacked(device, spec, one, two)
    return (device) => checkMasked(device, spec, one, 20 * two)
  }
  const placed = draw(placedCases(SIZES[number % SIZES.length], strictest))
  return (device) => checkProduct(device, kind as GemmForm, placed)
}

/** Groups of rows, some of them longer, wider or deeper than the package's own tests have them. */
function rowsSpec(number: number, strictest: string) {
  const { n, k } = limitsOf(strictest)
  const base = rowsCases(number % 5 === 1 ? 200 : 60, strictest)
  if (number % 5 < 2) return base
  const wider = fc.tuple(
    base,
    extents({ max: 300, multipleOf: n }),
    extents({ max: 900, multipleOf: k }),
  )
  return wider.map(([spec, wide, deep]) => ({ ...spec, n: wide, k: deep }))
}
