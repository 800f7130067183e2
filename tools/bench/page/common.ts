// What the pictures share.

import type { ChartData } from '@deepgemm/bench'
import * as Plot from '@observablehq/plot'

type ColorScale = { readonly domain: string[]; readonly range: string[] }

/** Every contestant has the same colour everywhere; the page's style knows which. */
export function colors({ series }: ChartData): ColorScale {
  return {
    domain: series.map(({ name }) => name),
    range: series.map(({ color }) => `var(--series-${color})`),
  }
}

export function labelOf({ series }: ChartData, name: string): string {
  return series.find((item) => item.name === name)?.label ?? name
}

export function timeText(us: number): string {
  return us < 1000 ? `${us.toPrecision(3)} µs` : `${(us / 1000).toPrecision(3)} ms`
}

/** `0.05`, `3`, `120`, `1,400`: as many digits as a label needs. */
function tickText(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 2 })
}

export function rateText(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)
}

/** How what is under the mouse is told. */
export const TIP = {
  lineHeight: 1.3,
  textPadding: 9,
  pathFilter: 'drop-shadow(0 2px 5px #0004)',
} as const

/** Below this, labels move closer together. */
export const NARROW = 520

/** 1, 2 and 5 times powers of ten, or powers of ten alone where there is little room. */
export function logTicks(low: number, high: number, width: number): number[] {
  const decades = Math.log10(high / low)
  const factors = decades * 150 > width ? [1] : decades * 90 > width ? [1, 3] : [1, 2, 5]
  const ticks: number[] = []
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const factor of factors) ticks.push(factor * 10 ** power)
  }
  return ticks.filter((tick) => tick >= low && tick <= high)
}

/** An axis with its grid. Left to itself, a logarithmic axis leaves labels of given ticks out. */
export function logAxis(
  side: 'x' | 'y',
  ticks: readonly number[],
  { label, text = tickText }: { readonly label: string | null; text?(tick: number): string },
): Plot.Markish[] {
  const isX = side === 'x'
  const options = { text: (tick: number) => text(tick), label, tickSize: 4 }
  return isX
    ? [Plot.gridX([...ticks]), Plot.axisX([...ticks], options)]
    : [Plot.gridY([...ticks]), Plot.axisY([...ticks], options)]
}

/** The least and the largest of values, with some room on both sides of a logarithmic scale. */
export function logRange(values: readonly number[], room = 1.25): [number, number] {
  return [Math.min(...values) / room, Math.max(...values) * room]
}
