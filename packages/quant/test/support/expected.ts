import type { QuantizedTensor, Recipe, ScaleDType } from '@deepgemm/core'
import { type HostQuantized, referenceQuantize, scaleBytes } from '@deepgemm/testing'
import { expect } from 'vitest'
import { matricesOf, type Source, transposeValues } from './sources.js'

export type CastSpec = {
  readonly recipe: Recipe
  readonly scaleDType: ScaleDType
  readonly transpose: boolean
}

/** What the oracle makes of every matrix of a source. */
export function expectedCast(source: Source, spec: CastSpec): HostQuantized[] {
  const [rows, cols] = source.shape.slice(-2) as [number, number]
  const { recipe, scaleDType, transpose } = spec
  return matricesOf(source).map((values) =>
    transpose
      ? referenceQuantize(transposeValues(values, [rows, cols]), [cols, rows], recipe, {
          scaleDType,
        })
      : referenceQuantize(values, [rows, cols], recipe, { scaleDType }),
  )
}

/** Expects these codes and these stored scales, padding included, bit for bit. */
export async function expectSameBits(
  actual: QuantizedTensor,
  expected: readonly HostQuantized[],
): Promise<void> {
  const { orientation } = actual.scales
  expectBytes(
    'codes',
    await actual.values.toBytes(),
    expected.map(({ codes }) => codes),
  )
  expectBytes(
    'scales',
    await actual.scales.tensor.toBytes(),
    expected.map((matrix) => scaleBytes(matrix, orientation)),
  )
}

function expectBytes(what: string, actual: Uint8Array, parts: readonly Uint8Array[]): void {
  const expected = Buffer.concat(parts)
  expect(actual.length).toBe(expected.length)
  if (expected.equals(actual)) return
  const at = expected.findIndex((byte, i) => byte !== actual[i])
  throw new Error(`${what} differ at byte ${at}: ${actual[at]} instead of ${expected[at]}`)
}
