// SVG as text. Pure.

/** Text that may stand in HTML and SVG; names of tensors are anybody's. */
export function escapeText(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return text.replaceAll(/[&<>"]/g, (letter) => entities[letter] as string)
}

const ROW = 18
const LABEL = 420
const WIDTH = 1060

/** Horizontal bars with their numbers; hovering shows the whole name. */
export function barChart(
  bars: readonly { readonly name: string; readonly value: number }[],
): string {
  const most = Math.max(...bars.map(({ value }) => value), 1)
  const rows = bars.map(({ name, value }, i) => {
    const length = ((WIDTH - LABEL - 60) * value) / most
    const y = i * ROW
    return (
      `<g><title>${escapeText(name)}: ${value.toFixed(2)}</title>` +
      `<text x="${LABEL - 8}" y="${y + 13}" text-anchor="end" font-size="11">${escapeText(ending(name))}</text>` +
      `<rect class="bar" x="${LABEL}" y="${y + 3}" width="${length.toFixed(1)}" height="${ROW - 6}"/>` +
      `<text x="${(LABEL + length + 6).toFixed(1)}" y="${y + 13}" font-size="11">${value.toFixed(1)}</text></g>`
    )
  })
  const height = Math.max(bars.length, 1) * ROW
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="bars">${rows.join('\n')}</svg>`
}

/** The end of a name tells tensors apart. */
function ending(name: string): string {
  return name.length <= 62 ? name : `…${name.slice(-61)}`
}

export type Grid = {
  readonly rows: number
  readonly columns: number
  readonly values: Float32Array
}

/** Colours from few to many; legible on light and dark paper. */
const SHADES = [
  '#2c2f6b',
  '#34509c',
  '#2f7fae',
  '#2fa59a',
  '#67c06f',
  '#b9cf49',
  '#f2c037',
  '#e8703a',
]
const MOST_CELLS = 48

/** A heat map of at most 48 cells either way, each the largest of what it stands for. */
export function heatMap(grid: Grid, label: string): string {
  const { rows, columns, values } = shrink(grid)
  const paths = SHADES.map(() => '')
  values.forEach((value, i) => {
    const shade = shadeOf(value)
    paths[shade] += `M${i % columns} ${Math.floor(i / columns)}h1v1h-1z`
  })
  const drawn = paths.map((path, i) =>
    path === '' ? '' : `<path fill="${SHADES[i]}" d="${path}"/>`,
  )
  return (
    `<svg viewBox="0 0 ${columns} ${rows}" preserveAspectRatio="none" shape-rendering="crispEdges" ` +
    `role="img" aria-label="${escapeText(label)}">${drawn.join('')}</svg>`
  )
}

/** Shades go in half octaves from 2: what is beyond 22 has the last one. */
function shadeOf(value: number): number {
  const step = Math.floor(2 * Math.log2(Math.max(value, 1))) - 2
  return Math.min(Math.max(step, 0), SHADES.length - 1)
}

/** The shades with the values they begin at. */
export function shadeLegend(): string {
  const swatches = SHADES.map((colour, i) => {
    const least = 2 ** ((i + 2) / 2)
    const text = i === 0 ? '0' : least.toFixed(least < 10 ? 1 : 0)
    return `<span><i style="background:${colour}"></i>${text}</span>`
  })
  return `<p class="legend">from ${swatches.join(' ')}</p>`
}

function shrink({ rows, columns, values }: Grid): Grid {
  const [height, width] = [Math.min(rows, MOST_CELLS), Math.min(columns, MOST_CELLS)]
  const small = new Float32Array(height * width)
  values.forEach((value, i) => {
    const row = Math.floor((Math.floor(i / columns) * height) / rows)
    const column = Math.floor(((i % columns) * width) / columns)
    const at = row * width + column
    if (value > (small[at] as number)) small[at] = value
  })
  return { rows: height, columns: width, values: small }
}
