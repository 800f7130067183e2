// Pure: what a report says in one look, and the facts that it rests on.

import { geometricMean } from '../suite/compare.js'
import { medianInterval } from '../suite/noise.js'
import { OURS, type SuiteMeta, type SuiteResult } from '../suite/result.js'
import type { ChartData } from './chart-data.js'
import { errorText, escapeText, percentText, rateText, timesText } from './text.js'

type Card = { readonly figure: string; readonly words: string }

/** Our speed beside every peer, our share of the roof, our error. */
export function summaryCards(result: SuiteResult, data: ChartData): string {
  const cards = [...peerCards(data), ...roofCards(data), ...errorCards(result)]
  const html = cards.map(
    ({ figure, words }) =>
      `<div class="card"><b>${escapeText(figure)}</b><span>${escapeText(words)}</span></div>`,
  )
  return `<div class="cards">${html.join('')}</div>`
}

function peerCards({ series, bars }: ChartData): Card[] {
  return series.flatMap(({ name, label }) => {
    const ratios = bars.filter((bar) => bar.series === name).map(({ ratio }) => ratio)
    if (ratios.length === 0) return []
    const products = ratios.length === 1 ? '1 product' : `${ratios.length} products`
    return [
      {
        figure: timesText(geometricMean(ratios)),
        words: `as fast as ${label}: mean of ${products}`,
      },
    ]
  })
}

function roofCards({ roofline, read_gbs, peaks, unit }: ChartData): Card[] {
  const shares = roofline.flatMap(({ series, share }) => (series === OURS ? (share ?? []) : []))
  const peak = peaks[0]
  const reads = read_gbs === null ? [] : [`reads of ${rateText(read_gbs)} GB/s`]
  const sums = peak === undefined ? [] : [`${rateText(peak.gflops / unit.gflops)} ${unit.name}`]
  if (shares.length === 0) return []
  return [
    {
      figure: percentText(medianInterval(shares).middle),
      words: `of the measured roof in the median: ${[...reads, ...sums].join(', ')}`,
    },
  ]
}

function errorCards({ rows }: SuiteResult): Card[] {
  const errors = rows.map((row) => row.figures[OURS]?.error ?? null)
  const worst = errors.includes(null) ? null : Math.max(0, ...(errors as number[]))
  return [{ figure: errorText(worst), words: 'largest error of our arithmetic, against float64' }]
}

/** Everything that is needed to measure the same again. */
export function factsList({ meta }: SuiteResult): string {
  const facts: [string, string][] = [
    ['device', `${meta.device}, ${meta.architecture}, ${parallelism(meta)}`],
    ['problem set', [meta.set, meta.source].filter((text) => text !== null).join(': ')],
    ['command', meta.command],
    ['library', `version ${meta.version}${meta.commit === null ? '' : `, commit ${meta.commit}`}`],
    ['system', `${meta.os}, Node ${meta.node}`],
    ...(meta.driver === null
      ? []
      : ([['driver', [meta.driver, meta.clocks].filter(Boolean).join(', ')]] as [
          string,
          string,
        ][])),
    ['measured', `${when(meta)}, ${meta.rounds} rounds`],
    [
      'load of the machine',
      `${loadText(meta.load_before)} before, ${loadText(meta.load_after)} after`,
    ],
    ...(meta.missing.length === 0
      ? []
      : ([['missing', meta.missing.join('; ')]] as [string, string][])),
    ['method', meta.method],
  ]
  const items = facts.map(([name, text]) => `<dt>${name}</dt><dd>${escapeText(text)}</dd>`)
  return `<dl>${items.join('')}</dl>`
}

function parallelism({ kind, parallelism: count }: SuiteMeta): string {
  const unit = kind === 'cpu' ? 'thread' : 'multiprocessor'
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

function when({ date, sittings }: SuiteMeta): string {
  const day = date.replace('T', ' ').replace(/\..*/, ' UTC')
  return sittings === 1 ? day : `${day}, in ${sittings} sittings`
}

/** Jobs that ran or waited in the last minute. */
function loadText(load: readonly number[]): string {
  return (load[0] ?? 0).toFixed(1)
}
