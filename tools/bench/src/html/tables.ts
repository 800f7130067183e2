// Pure: the tables of a report; they are there without a script too.

import { medianInterval, ratioInterval, relativeNoise } from '../suite/noise.js'
import { caseText } from '../suite/problem.js'
import { OURS, type SuiteResult, type SuiteRow } from '../suite/result.js'
import { type ChartData, chartData, gflopsOf, roofGflops } from './chart-data.js'
import { errorText, escapeText, percentText, rateText, timesText, timeText } from './text.js'

/** A `name` stands left; a ratio is good or bad where it is beyond the noise. */
export type Cell = { readonly text: string; readonly kind?: 'name' | 'good' | 'bad' }
export type Cells = { readonly heads: readonly string[]; readonly rows: readonly Cell[][] }

/** Every product with what was measured, for a page or a terminal. */
export function productCells(result: SuiteResult, data: ChartData = chartData(result)): Cells {
  const { unit, series } = data
  const peers = series.filter(({ name }) => name !== OURS)
  const heads = [
    ...['layer', 'M × N × K', 'ours', 'noise', unit.name, 'of the roof'],
    ...peers.map(({ label }) => `over ${label}`),
    ...['error', 'config'],
  ]
  return { heads, rows: result.rows.map((row) => rowCells(result, row, unit.gflops, peers)) }
}

export function productsTable(result: SuiteResult, data: ChartData): string {
  return table(productCells(result, data))
}

function rowCells(
  result: SuiteResult,
  row: SuiteRow,
  unit: number,
  peers: ChartData['series'],
): Cell[] {
  const ours = row.figures[OURS]
  const interval = medianInterval(ours?.us ?? [])
  const gflops = gflopsOf(row, OURS)
  const roof = roofGflops(result, row)
  return [
    { text: row.layer, kind: 'name' },
    { text: caseText(row).replaceAll(' x ', ' × '), kind: 'name' },
    { text: timeText(interval.middle) },
    { text: `± ${percentText(relativeNoise(interval))}` },
    { text: rateText(gflops / unit) },
    { text: roof === null ? '–' : percentText(gflops / roof) },
    ...peers.map(({ name }) => ratioCell(row, name)),
    { text: errorText(ours?.error ?? null) },
    { text: row.config, kind: 'name' },
  ]
}

function ratioCell(row: SuiteRow, name: string): Cell {
  const other = row.figures[name]?.us
  if (other === undefined) return { text: '–' }
  const { middle, low, high } = ratioInterval(row.figures[OURS]?.us ?? [], other)
  const text = timesText(middle)
  if (low > 1) return { text, kind: 'good' }
  return high < 1 ? { text, kind: 'bad' } : { text }
}

export function formatsTable({ formats, contestants }: SuiteResult): string {
  const used = new Set(Object.values(contestants).map(({ operands }) => operands))
  const rows = formats
    .filter(({ operands }) => used.has(operands))
    .map(({ operands, normal, outliers }): Cell[] => [
      { text: operands, kind: 'name' },
      { text: errorText(normal) },
      { text: errorText(outliers) },
    ])
  return table({ heads: ['operands stored as', 'normal numbers', 'outlier channels'], rows })
}

export function contestantsTable({ contestants }: SuiteResult): string {
  const rows = Object.values(contestants).map(({ label, version, operands }): Cell[] => [
    { text: label, kind: 'name' },
    { text: version || 'this library', kind: 'name' },
    { text: operands, kind: 'name' },
  ])
  return table({ heads: ['contestant', 'version', 'operands'], rows })
}

function table({ heads, rows }: Cells): string {
  const isName = (column: number): boolean => rows[0]?.[column]?.kind === 'name'
  const head = heads
    .map((text, i) => `<th scope="col"${isName(i) ? ' class="name"' : ''}>${escapeText(text)}</th>`)
    .join('')
  const body = rows.map((cells) => `<tr>${cells.map(cellHtml).join('')}</tr>`)
  return `<div class="wide" tabindex="0"><table><thead><tr>${head}</tr></thead><tbody>
${body.join('\n')}
</tbody></table></div>`
}

function cellHtml({ text, kind }: Cell): string {
  return `<td${kind === undefined ? '' : ` class="${kind}"`}>${escapeText(text)}</td>`
}
