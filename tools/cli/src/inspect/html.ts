import { formatBytes, formatShape } from '../output/format.js'
import { barChart, escapeText, heatMap, shadeLegend } from './drawings.js'
import { formatTotals, type InspectedTensor } from './inspect.js'
import { OUTLIER_SIGMAS } from './value-stats.js'

/** Bars and heat maps that a page shows; what is not drawn is in its table. */
const MOST_BARS = 60
const MOST_MAPS = 24

/** One page without a script and without anything from the network. */
export function inspectHtml(title: string, tensors: readonly InspectedTensor[]): string {
  const drawn = tensors.filter(({ values }) => values !== undefined).sort(byCrest)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeText(title)}</h1>
${totalsTable(tensors)}
<h2>Largest magnitude over rms</h2>
<p>Normal weights have 4 to 6. A weight far above has outliers: the scale of their block is set by
them, and the small values around them lose digits.</p>
<div class="wide">${barChart(drawn.slice(0, MOST_BARS).map(({ name, values }) => ({ name, value: values?.crest ?? 0 })))}</div>
<h2>Blocks of 128x128</h2>
<p>Largest magnitude of every block over the rms of its tensor: rows of the weight from top to bottom,
columns from left to right. Lines are channels with outliers.</p>
${shadeLegend()}
<div class="maps">
${drawn.slice(0, MOST_MAPS).map(mapFigure).join('\n')}
</div>
<h2>Tensors</h2>
${tensorTable(tensors)}
</main>
</body>
</html>
`
}

export function byCrest(a: InspectedTensor, b: InspectedTensor): number {
  return (b.values?.crest ?? 0) - (a.values?.crest ?? 0)
}

function totalsTable(tensors: readonly InspectedTensor[]): string {
  const rows = formatTotals(tensors).map(
    ({ format, tensors: count, bytes }) =>
      `<tr><td>${format}</td><td>${count}</td><td>${formatBytes(bytes)}</td></tr>`,
  )
  return `<table><tr><th>format</th><th>tensors</th><th>size</th></tr>${rows.join('')}</table>`
}

function mapFigure({ name, values }: InspectedTensor): string {
  if (values === undefined) return ''
  const { rows, columns, crest } = values.blocks
  return `<figure>${heatMap({ rows, columns, values: crest }, name)}
<figcaption>${escapeText(name)}<br>${rows} x ${columns} blocks, up to ${values.crest.toFixed(1)}</figcaption></figure>`
}

function tensorTable(tensors: readonly InspectedTensor[]): string {
  const rows = tensors.map(({ name, dtype, recipe, shape, values, scales }) => {
    const cells = [
      escapeText(name),
      `${dtype} ${recipe ?? ''}`,
      formatShape(shape),
      ...(values === undefined
        ? ['', '', '', '']
        : [
            values.amax.toPrecision(3),
            values.rms.toPrecision(3),
            values.crest.toFixed(1),
            shareText(values.outliers),
          ]),
      scales === undefined
        ? ''
        : `${scales.min.toPrecision(3)} to ${scales.max.toPrecision(3)} ${scales.dtype}`,
    ]
    return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`
  })
  const heads = ['tensor', 'format', 'shape', 'largest', 'rms', 'ratio', OUTLIERS, 'scales']
  const head = heads.map((text) => `<th>${text}</th>`).join('')
  return `<div class="wide"><table><tr>${head}</tr>\n${rows.join('\n')}</table></div>`
}

const OUTLIERS = `beyond ${OUTLIER_SIGMAS} rms`

/** `0`, `12 ppm` or `0.3 %`. */
export function shareText(share: number): string {
  if (share === 0) return '0'
  if (share >= 1e-3) return `${(share * 100).toPrecision(2)} %`
  const perMillion = share * 1e6
  return `${perMillion < 10 ? perMillion.toPrecision(2) : Math.round(perMillion)} ppm`
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #667; --paper: #fff; --line: #d8dce2; --bar: #2f6fdb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --soft: #9aa4b2; --paper: #14171b; --line: #333a44; --bar: #6ea0ff; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1100px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 24px; overflow-wrap: anywhere; } h2 { font-size: 18px; margin-top: 36px; }
p { color: var(--soft); max-width: 70ch; }
table { border-collapse: collapse; font-size: 13px; } td, th { border-bottom: 1px solid var(--line); padding: 3px 12px 3px 0; text-align: left; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; } .wide svg { min-width: 760px; }
.legend i { display: inline-block; width: 14px; height: 14px; margin: 0 4px 0 8px; vertical-align: -2px; }
 svg text { fill: var(--ink); } svg .bar { fill: var(--bar); }
.maps { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 16px; }
figure { margin: 0; } figure svg { width: 100%; height: auto; max-height: 260px; background: var(--line); }
figcaption { font-size: 12px; color: var(--soft); overflow-wrap: anywhere; }
@media print { h2 { break-after: avoid; } figure { break-inside: avoid; } }
`
