// Pure: what the pictures of a report show, computed here so that the page only draws.

import { medianInterval, ratioInterval } from '../suite/noise.js'
import { caseBytes, caseFlops, caseText } from '../suite/problem.js'
import { type ContestantInfo, OURS, type SuiteResult, type SuiteRow } from '../suite/result.js'

/** A contestant; `color` numbers the colours of the page. */
export type Series = { readonly name: string; readonly label: string; readonly color: number }

export type RooflinePoint = {
  readonly series: string
  readonly layer: string
  readonly shape: string
  /** Operations per byte that is read or written at least. */
  readonly intensity: number
  readonly gflops: number
  readonly us: number
  /** Share of the roof above the point; null without one. */
  readonly share: number | null
}

export type Bar = {
  readonly series: string
  readonly layer: string
  readonly shape: string
  readonly m: number
  /** Time of the other over ours, with its interval. */
  readonly ratio: number
  readonly low: number
  readonly high: number
  readonly ours_us: number
  readonly other_us: number
}

export type AccuracyPoint = {
  readonly series: string
  readonly layer: string
  readonly shape: string
  readonly gflops: number
  /** Of the arithmetic, of the format on normal numbers, and of both. */
  readonly product: number
  readonly format: number
  readonly total: number
}

export type ChartData = {
  /** Divides GFLOP/s: 1000 for TFLOP/s. */
  readonly unit: { readonly name: string; readonly gflops: number }
  readonly series: readonly Series[]
  readonly read_gbs: number | null
  readonly peaks: readonly { readonly label: string; readonly gflops: number }[]
  readonly roofline: readonly RooflinePoint[]
  readonly bars: readonly Bar[]
  readonly accuracy: readonly AccuracyPoint[]
}

export function chartData(result: SuiteResult): ChartData {
  const { contestants, rows, ceilings } = result
  const names = Object.keys(contestants)
  const top = Math.max(1, ...rows.map((row) => gflopsOf(row, OURS)))
  const peaks = ceilings.peaks.filter(({ gflops }) => gflops.length > 0)
  return {
    unit: top > 2000 ? { name: 'TFLOP/s', gflops: 1000 } : { name: 'GFLOP/s', gflops: 1 },
    series: names.map((name, color) => ({
      ...{ name, color, label: (contestants[name] as ContestantInfo).label },
    })),
    read_gbs: middle(ceilings.read_gbs),
    peaks: peaks.map(({ label, gflops }) => ({ label, gflops: middle(gflops) as number })),
    roofline: rows.flatMap((row) => rooflinePoints(result, row)),
    bars: rows.flatMap((row) => barsOf(row)),
    accuracy: rows.flatMap((row) => accuracyPoints(result, row)),
  }
}

/** GFLOP/s that the measured ceilings allow a product: its weights, operands and output move once. */
export function roofGflops({ ceilings }: SuiteResult, row: SuiteRow): number | null {
  const read = middle(ceilings.read_gbs)
  const peaks = ceilings.peaks.flatMap(({ gflops }) => middle(gflops) ?? [])
  const memory = read === null ? [] : [(read * caseFlops(row)) / caseBytes(row)]
  const all = [...(peaks.length === 0 ? [] : [Math.max(...peaks)]), ...memory]
  return all.length === 0 ? null : Math.min(...all)
}

export function gflopsOf(row: SuiteRow, name: string): number {
  const us = row.figures[name]?.us ?? []
  return us.length === 0 ? 0 : caseFlops(row) / medianInterval(us).middle / 1e3
}

/** Only of those that move the same bytes: others have a roof of their own. */
function rooflinePoints(result: SuiteResult, row: SuiteRow): RooflinePoint[] {
  const roof = roofGflops(result, row)
  return Object.entries(row.figures).flatMap(([series, { us }]) => {
    if (result.contestants[series]?.operands.startsWith('e4m3') !== true) return []
    const gflops = gflopsOf(row, series)
    return [
      {
        ...{ series, layer: row.layer, shape: caseText(row) },
        ...{ intensity: caseFlops(row) / caseBytes(row), gflops },
        ...{ us: medianInterval(us).middle, share: roof === null ? null : gflops / roof },
      },
    ]
  })
}

function barsOf(row: SuiteRow): Bar[] {
  const ours = row.figures[OURS]?.us ?? []
  return Object.entries(row.figures)
    .filter(([name]) => name !== OURS)
    .map(([series, { us }]) => {
      const { middle: ratio, low, high } = ratioInterval(ours, us)
      return {
        ...{ series, layer: row.layer, shape: caseText(row), m: row.m, ratio, low, high },
        ...{ ours_us: medianInterval(ours).middle, other_us: medianInterval(us).middle },
      }
    })
}

/** Errors are shares of squares: those of independent steps add. */
function accuracyPoints({ contestants, formats }: SuiteResult, row: SuiteRow): AccuracyPoint[] {
  return Object.entries(row.figures).flatMap(([series, { error }]) => {
    const operands = contestants[series]?.operands
    const format = formats.find((item) => item.operands === operands)?.normal
    if (error === null || format === undefined) return []
    return [
      {
        ...{ series, layer: row.layer, shape: caseText(row), gflops: gflopsOf(row, series) },
        ...{ product: error, format, total: error + format },
      },
    ]
  })
}

function middle(samples: readonly number[]): number | null {
  return samples.length === 0 ? null : medianInterval(samples).middle
}
