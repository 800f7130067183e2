// What speed costs in accuracy: total error over operations per second.

import type { AccuracyPoint, ChartData } from '@deepgemm/bench'
import * as Plot from '@observablehq/plot'
import { colors, labelOf, logAxis, logRange, logTicks, NARROW, rateText, TIP } from './common.js'

/** Where an error of nothing at all is drawn. */
const LEAST = 1e-16

export function accuracyPlot(data: ChartData, width: number): Element {
  const { accuracy: points, unit } = data
  const height = width < NARROW ? 280 : 340
  const errorOf = ({ total }: AccuracyPoint): number => Math.max(total, LEAST)
  const [left, right] = logRange(
    points.map(({ gflops }) => gflops / unit.gflops),
    1.4,
  )
  const [low, high] = logRange(points.map(errorOf), 4)
  const place = { x: (point: AccuracyPoint) => point.gflops / unit.gflops, y: errorOf } as const
  return Plot.plot({
    width,
    height,
    marginLeft: 56,
    marginBottom: 42,
    marginRight: 16,
    ariaLabel: 'Accuracy beside speed',
    x: { type: 'log', domain: [left, right] },
    y: { type: 'log', domain: [low, high] },
    color: colors(data),
    marks: [
      ...logAxis('x', logTicks(left, right, width), { label: `${unit.name} →` }),
      ...logAxis('y', errorTicks(low, high), {
        label: '↑ error',
        text: (tick) => tick.toExponential(0),
      }),
      Plot.dot(points, {
        ...place,
        fill: 'series',
        r: 4,
        stroke: 'var(--paper)',
        strokeWidth: 0.8,
      }),
      Plot.tip(
        points,
        Plot.pointer({ ...TIP, ...place, title: (point: AccuracyPoint) => told(data, point) }),
      ),
    ],
  })
}

/** Powers of ten, at most eight of them; finer ticks where there is less than two. */
function errorTicks(low: number, high: number): number[] {
  const [first, last] = [Math.ceil(Math.log10(low)), Math.floor(Math.log10(high))]
  if (last - first < 1) return logTicks(low, high, Number.POSITIVE_INFINITY)
  const step = Math.max(1, Math.ceil((last - first + 1) / 8))
  const ticks: number[] = []
  for (let power = first; power <= last; power += step) ticks.push(10 ** power)
  return ticks
}

function told(
  data: ChartData,
  { series, layer, shape, gflops, product, format }: AccuracyPoint,
): string {
  const { unit } = data
  return (
    `${labelOf(data, series)}\n${layer}, ${shape}\n${rateText(gflops / unit.gflops)} ${unit.name}\n` +
    `storage ${format.toExponential(1)}, arithmetic ${product.toExponential(1)}`
  )
}
