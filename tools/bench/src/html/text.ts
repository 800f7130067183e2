// Pure: numbers and names as a page shows them.

/** Text that may stand in HTML; names of layers and versions of peers are anybody's. */
export function escapeText(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return text.replaceAll(/[&<>"]/g, (letter) => entities[letter] as string)
}

/** JSON that may stand in a script element. */
export function embeddedJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c')
}

/** `3.21 us`, `48.1 us`, `1.62 ms` */
export function timeText(us: number): string {
  return us < 1000 ? `${us.toPrecision(3)} µs` : `${(us / 1000).toPrecision(3)} ms`
}

/** `1.13×` */
export function timesText(ratio: number): string {
  return `${ratio.toFixed(ratio < 9.995 ? 2 : 1)}×`
}

export function percentText(share: number): string {
  return `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`
}

/** `6.8e-4`, or `0`. */
export function errorText(error: number | null): string {
  if (error === null) return 'NaN'
  return error === 0 ? '0' : error.toExponential(1)
}

/** `1,234` or `12.3`: three digits at least. */
export function rateText(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en')
  return value.toPrecision(3)
}
