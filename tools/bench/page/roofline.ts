// Operations per second over operations per byte, under the measured ceilings.

import type { ChartData, RooflinePoint } from '@deepgemm/bench'
import * as Plot from '@observablehq/plot'
import {
  colors,
  labelOf,
  logAxis,
  logRange,
  logTicks,
  NARROW,
  rateText,
  TIP,
  timeText,
} from './common.js'

const OURS = 'ours'

export function rooflinePlot(data: ChartData, width: number): Element {
  const { roofline: points, unit } = data
  const peak = Math.max(0, ...data.peaks.map(({ gflops }) => gflops))
  const speeds = points.map(({ gflops }) => gflops / unit.gflops)
  const [left, right] = logRange(
    points.map(({ intensity }) => intensity),
    1.6,
  )
  const [low, high] = logRange([...speeds, ...(peak > 0 ? [peak / unit.gflops] : [])], 1.35)
  const isNarrow = width < NARROW
  const height = isNarrow ? 340 : 460
  return Plot.plot({
    width,
    height,
    marginLeft: 52,
    marginBottom: 42,
    marginRight: 16,
    ariaLabel: 'Roofline',
    x: { type: 'log', domain: [left, right] },
    y: { type: 'log', domain: [low, high] },
    color: colors(data),
    marks: [
      ...logAxis('x', logTicks(left, right, width), { label: 'operations per byte →' }),
      ...logAxis('y', logTicks(low, high, height), { label: `↑ ${unit.name}` }),
      ...ceilings(data, [left, right], isNarrow),
      ...dots(data, points),
    ],
  })
}

type Range = readonly [number, number]

const LINE = { stroke: 'currentColor', strokeWidth: 1.5, strokeOpacity: 0.75, clip: true } as const

/** Text that is legible over lines. */
const HALO = { fill: 'currentColor', stroke: 'var(--paper)', strokeWidth: 4 } as const

type Roof = {
  readonly left: number
  readonly right: number
  /** Where reading memory no longer limits the highest peak. */
  readonly bend: number
  readonly fontSize: number
}

/** Memory up to where it meets the highest peak, which goes on from there; lesser peaks dashed. */
function ceilings(data: ChartData, [left, right]: Range, isNarrow: boolean): Plot.Markish[] {
  const { read_gbs, peaks } = data
  const highest = Math.max(0, ...peaks.map(({ gflops }) => gflops))
  const meeting = read_gbs === null ? left : highest > 0 ? highest / read_gbs : right
  const roof = { left, right, bend: Math.min(meeting, right), fontSize: isNarrow ? 11 : 12 }
  return [
    ...peaks.flatMap((peak) => peakMarks(data, peak, peak.gflops === highest, roof)),
    ...(read_gbs === null ? [] : memoryMarks(data, read_gbs, roof)),
  ]
}

type Peak = ChartData['peaks'][number]

function peakMarks(
  { unit }: ChartData,
  { label, gflops }: Peak,
  isHighest: boolean,
  { left, right, bend, fontSize }: Roof,
): Plot.Markish[] {
  const y = gflops / unit.gflops
  const text = { ...HALO, fontSize, text: () => `${label}: ${rateText(y)} ${unit.name}` } as const
  if (isHighest) {
    const place = { ...text, textAnchor: 'end', lineAnchor: 'bottom', dy: -4 } as const
    return [flat([bend, right], y, LINE), Plot.text([[right, y]], place)]
  }
  const place = { ...text, textAnchor: 'start', lineAnchor: 'top', dy: 4, dx: 2 } as const
  const dashed = { ...LINE, strokeDasharray: '5 4', strokeOpacity: 0.5 } as const
  return [flat([left, right], y, dashed), Plot.text([[left, y]], place)]
}

function flat([from, to]: Range, y: number, options: Plot.LineOptions): Plot.Markish {
  return Plot.line(
    [
      [from, y],
      [to, y],
    ],
    options,
  )
}

function memoryMarks(
  { unit }: ChartData,
  gbs: number,
  { left, bend, fontSize }: Roof,
): Plot.Markish[] {
  const at = (x: number): [number, number] => [x, (gbs * x) / unit.gflops]
  const text = () => `memory: ${rateText(gbs)} GB/s`
  const place = {
    ...HALO,
    fontSize,
    text,
    textAnchor: 'end',
    lineAnchor: 'bottom',
    dx: -8,
  } as const
  // Half way up: above the slope nothing is drawn.
  return [Plot.line([at(left), at(bend)], LINE), Plot.text([at(Math.sqrt(left * bend))], place)]
}

function dots(data: ChartData, points: readonly RooflinePoint[]): Plot.Markish[] {
  const { unit } = data
  const place = {
    x: 'intensity',
    y: (point: RooflinePoint) => point.gflops / unit.gflops,
  } as const
  const rest = points.filter(({ series }) => series !== OURS)
  const ours = points.filter(({ series }) => series === OURS)
  return [
    Plot.dot(rest, { ...place, stroke: 'series', r: 3, strokeWidth: 1.4, strokeOpacity: 0.8 }),
    Plot.dot(ours, { ...place, fill: 'series', r: 4.5, stroke: 'var(--paper)', strokeWidth: 1 }),
    Plot.tip(
      [...points],
      Plot.pointer({ ...TIP, ...place, title: (point: RooflinePoint) => told(data, point) }),
    ),
  ]
}

function told(data: ChartData, { series, layer, shape, gflops, us, share }: RooflinePoint): string {
  const { unit } = data
  const of = share === null ? '' : `\n${Math.round(100 * share)} % of the roof above`
  return `${labelOf(data, series)}\n${layer}, ${shape}\n${rateText(gflops / unit.gflops)} ${unit.name}, ${timeText(us)}${of}`
}
