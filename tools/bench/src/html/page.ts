// A result as one page: pictures, tables and facts, with everything that it needs inside.

import { readFile } from 'node:fs/promises'
import { NativeError } from 'deepgemm'
import { noiseText } from '../suite/noise.js'
import { OURS, type SuiteResult } from '../suite/result.js'
import { type ChartData, chartData } from './chart-data.js'
import { STYLE } from './style.js'
import { factsList, summaryCards } from './summary.js'
import { contestantsTable, formatsTable, productsTable } from './tables.js'
import { embeddedJson, escapeText } from './text.js'

/** Draws the pictures in a browser; made from `page/` with the plot library inside. */
const SCRIPT = new URL('../../dist/page.js', import.meta.url)

/** Nothing comes from anywhere else, whatever the data say. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"

/** @throws {NativeError} where the package was not built */
export async function resultHtml(result: SuiteResult): Promise<string> {
  const data = chartData(result)
  const title = `${result.meta.set} on ${result.meta.device}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${escapeText(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeText(title)}</h1>
<p>FP8 matrix products of DeepGEMM for Node beside the machine's limits and the libraries that were
installed, measured in one run.</p>
${summaryCards(result, data)}
${pictures(result, data)}
<h2>Every product</h2>
<p>Times are medians over rounds; the noise is ${noiseText(result.meta.rounds)}. Ratios above 1: ours is faster; coloured where that is beyond the noise.</p>
${productsTable(result, data)}
<h2>Where this comes from</h2>
${factsList(result)}
${contestantsTable(result)}
</main>
<script type="application/json" id="data">${embeddedJson(data)}</script>
<script>${await script()}</script>
</body>
</html>
`
}

function pictures(result: SuiteResult, data: ChartData): string {
  const hasPeers = data.bars.length > 0
  const speedups = `<h2>Beside other libraries</h2>
<p>How many times faster ours is, product by product; the line is equal speed, the whiskers are the noise.</p>
${legend(data, (name) => name !== OURS)}
<div class="charts" id="speedups"></div>`
  return `<h2>Under the roof</h2>
<p>The slope is what reading memory once allows, the flat lines what the arithmetic units did at most;
both were measured in this run. Few rows stand on the left: they wait for the weights.</p>
${legend(data, (name) => result.contestants[name]?.operands.startsWith('e4m3') === true)}
<figure class="chart" id="roofline"></figure>
${hasPeers ? speedups : ''}
<h2>Accuracy beside speed</h2>
<p>Error against the product of the numbers before they were stored: 1 − 2Σxy / Σ(x² + y²), of the
storage format on normal numbers and of the arithmetic together. Further down is more accurate.</p>
${legend(data, () => true)}
<figure class="chart" id="accuracy"></figure>
<h3>What storing costs</h3>
<p>The same measure for the format alone; outlier channels are a hundred times larger than the rest,
as activations of large models have them.</p>
${formatsTable(result)}
<noscript><p>The pictures need a script; the tables have all the numbers.</p></noscript>`
}

function legend({ series }: ChartData, shows: (name: string) => boolean): string {
  const items = series
    .filter(({ name }) => shows(name))
    .map(
      ({ label, color }) =>
        `<li><i style="background:var(--series-${color})"></i>${escapeText(label)}</li>`,
    )
  return `<ul class="legend">${items.join('')}</ul>`
}

async function script(): Promise<string> {
  try {
    const text = await readFile(SCRIPT, 'utf8')
    return text.replaceAll('</script', '<\\/script')
  } catch (cause) {
    throw new NativeError('The script of the report is not there', {
      given: SCRIPT.pathname,
      remedy: 'Build the package: pnpm --filter @deepgemm/bench build.',
      cause,
    })
  }
}
