// Pure: the style of a report, for light and dark screens, phones and paper.

/** Colours that the common kinds of colour blindness tell apart; the first one is ours. */
const LIGHT = ['#0b62d6', '#d9730d', '#0f9d76', '#b6429c', '#8a7a00', '#d43d51', '#5b6b7a']
const DARK = ['#6ea8ff', '#ffa04d', '#3fd0a4', '#ee86d6', '#d8c74a', '#ff8091', '#a9b8c6']

const variables = (colors: readonly string[]): string =>
  colors.map((color, i) => `--series-${i}: ${color};`).join(' ')

const LIGHT_PAPER = `--ink: #1a2029; --soft: #5a6472; --paper: #ffffff; --raised: #f5f7fa; --line: #dce1e8;
  --good: #0a7a4b; --bad: #b3261e; ${variables(LIGHT)}`

export const STYLE: string = `
:root { color-scheme: light dark; --plot-background: var(--paper); ${LIGHT_PAPER} }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaef; --soft: #a3adba; --paper: #12161c;
  --raised: #1b2129; --line: #323b47; --good: #56d39b; --bad: #ff8a80; ${variables(DARK)} } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 32px 20px 72px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 20px; margin: 48px 0 4px; }
h3 { font-size: 14px; margin: 0 0 4px; font-weight: 600; }
p { margin: 4px 0 12px; max-width: 72ch; color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 12px; margin: 20px 0 0; }
.card { background: var(--raised); border: 1px solid var(--line); border-radius: 10px; padding: 12px 16px; }
.card b { display: block; font-size: 26px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: 13px; line-height: 1.35; display: block; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 8px 0; padding: 0; list-style: none; font-size: 14px; }
.legend i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 7px; vertical-align: -1px; }
.chart { min-height: 120px; }
.chart svg { display: block; overflow: visible; max-width: 100%; font: 12px system-ui, sans-serif; }
.chart svg [aria-label="tip"] { font-size: 13px; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(340px, 100%), 1fr)); gap: 24px 28px; }
figure { margin: 0; }
.wide { overflow-x: auto; margin: 8px 0; }
table { border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; }
th { font-weight: 600; color: var(--soft); vertical-align: bottom; font-size: 12.5px; line-height: 1.3; }
td, th { border-bottom: 1px solid var(--line); padding: 5px 14px 5px 0; text-align: right; }
td { white-space: nowrap; }
td.name, th.name { text-align: left; }
td.good { color: var(--good); } td.bad { color: var(--bad); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 18px; margin: 8px 0; font-size: 14px; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
code { font: 13px ui-monospace, monospace; }
@media (max-width: 560px) {
  main { padding: 20px 14px 48px; } h1 { font-size: 23px; } .cards { grid-template-columns: 1fr 1fr; }
  .card b { font-size: 21px; } dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 8px; }
}
@media print {
  :root { color-scheme: light; ${LIGHT_PAPER} }
  main { max-width: none; padding: 0; } h2 { break-after: avoid; } figure, .card, tr { break-inside: avoid; }
  .wide { overflow: visible; } table { font-size: 8.5px; } td, th { padding-right: 6px; } td { white-space: normal; }
}
`
