// A small picture per layer: how many times faster ours is than each of the others.

import type { Bar, ChartData } from '@deepgemm/bench'
import * as Plot from '@observablehq/plot'
import { colors, labelOf, logAxis, TIP, timeText } from './common.js'

const WIDEST = 400
const HEIGHT = 230

export function speedupPlots(data: ChartData, width: number): readonly Element[] {
  const layers = [...new Set(data.bars.map(({ layer }) => layer))]
  const domain = ratioDomain(data.bars)
  const columns = Math.max(1, Math.floor((width + 28) / (340 + 28)))
  const each = Math.min(
    layers.length === 1 ? 2 * WIDEST : WIDEST,
    (width - 28 * (columns - 1)) / columns,
  )
  return layers.map((layer) => {
    const figure = document.createElement('figure')
    figure.className = 'chart'
    const title = document.createElement('h3')
    title.textContent = layer
    figure.append(
      title,
      layerPlot(
        data,
        data.bars.filter((bar) => bar.layer === layer),
        domain,
        Math.floor(each),
      ),
    )
    return figure
  })
}

/** The same for all layers, with equal speed inside. */
function ratioDomain(bars: readonly Bar[]): [number, number] {
  const low = Math.min(1, ...bars.map(({ ratio }) => ratio))
  const high = Math.max(1, ...bars.map(({ ratio }) => ratio))
  return [Math.min(0.9, low / 1.08), Math.max(1.1, high * 1.08)]
}

const CANDIDATES = [0.05, 0.1, 0.2, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5, 10, 20, 50, 100]

/** Those of the candidates that do not crowd one another; equal speed is always there. */
function ratioTicks([low, high]: readonly [number, number]): number[] {
  const apart = Math.log(high / low) / 7
  const ticks = [1]
  const inside = CANDIDATES.filter((tick) => tick >= low && tick <= high)
  for (const tick of inside) {
    if (ticks.every((taken) => Math.abs(Math.log(tick / taken)) >= apart)) ticks.push(tick)
  }
  return ticks
}

function layerPlot(
  data: ChartData,
  bars: readonly Bar[],
  domain: [number, number],
  width: number,
): Element {
  const series = data.series
    .map(({ name }) => name)
    .filter((name) => bars.some((bar) => bar.series === name))
  const clamp = (value: number): number => Math.min(Math.max(value, domain[0]), domain[1])
  const place = { fx: 'm', x: 'series' } as const
  return Plot.plot({
    width,
    height: HEIGHT,
    marginLeft: 42,
    marginBottom: 34,
    marginTop: 14,
    marginRight: 4,
    ariaLabel: 'Speed beside other libraries',
    fx: { label: 'rows of A', padding: 0.18, tickFormat: String },
    x: { axis: null, domain: series, padding: 0.1 },
    y: { type: 'log', domain },
    color: colors(data),
    marks: [
      ...logAxis('y', ratioTicks(domain), { label: null, text: (tick) => `${tick}×` }),
      Plot.barY(bars, { ...place, y1: 1, y2: 'ratio', fill: 'series' }),
      Plot.ruleX(bars, {
        ...place,
        y1: ({ low }: Bar) => clamp(low),
        y2: ({ high }: Bar) => clamp(high),
        strokeOpacity: 0.75,
      }),
      Plot.ruleY([1], { strokeWidth: 1.5 }),
      Plot.tip(
        bars,
        Plot.pointerX({
          ...TIP,
          ...place,
          y: 'ratio',
          title: (bar: Bar) => told(data, bar),
          preferredAnchor: 'bottom',
        }),
      ),
    ],
  })
}

function told(data: ChartData, bar: Bar): string {
  const { shape, ratio, low, high, ours_us, other_us } = bar
  return (
    `${shape}\n${ratio.toFixed(2)}× as fast as ${labelOf(data, bar.series)}\n` +
    `(${low.toFixed(2)} to ${high.toFixed(2)})\nours ${timeText(ours_us)}, theirs ${timeText(other_us)}`
  )
}
