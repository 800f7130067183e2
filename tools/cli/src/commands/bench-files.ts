import { compareResults, ENOUGH_SAMPLES, resultHtml } from '@deepgemm/bench'
import { writeFileAtomic } from 'deepgemm'
import { comparisonLines, comparisonRows, HEADS } from '../bench/comparison.js'
import { readResult, requireWritableFolder } from '../bench/files.js'
import { type RawOptions, text } from '../options.js'
import { printTable } from '../output/table.js'
import { say, sayJson, type Terminal } from '../output/terminal.js'

/** `deepgemm bench compare <before> <after>`: exit code 1 when something became slower. */
export async function benchCompareCommand(
  terminal: Terminal,
  before: string,
  after: string,
): Promise<number> {
  const [a, b] = [await readResult(before), await readResult(after)]
  const comparison = compareResults(a, b)
  for (const warning of comparison.warnings) terminal.stderr.write(`note: ${warning}\n`)
  const fewest = Math.min(a.meta.rounds, b.meta.rounds)
  if (fewest < ENOUGH_SAMPLES) {
    terminal.stderr.write(
      `note: ${fewest} rounds are too few to be sure; measure with --rounds ${ENOUGH_SAMPLES} or more\n`,
    )
  }
  printTable(terminal, HEADS, comparisonRows(comparison))
  for (const line of comparisonLines(comparison)) say(terminal, line)
  sayJson(terminal, { before, after, ...comparison })
  return comparison.rows.some(({ verdict }) => verdict === 'slower') ? 1 : 0
}

/** `deepgemm bench report <result> --report <file>`: the page of a result that was kept. */
export async function benchReportCommand(
  terminal: Terminal,
  file: string,
  options: RawOptions,
): Promise<number> {
  const report = text(options, 'report')
  const result = await readResult(file)
  await requireWritableFolder('--report', report)
  await writeFileAtomic(report, await resultHtml(result), { overwrite: true })
  say(terminal, `Page written to ${report}`)
  sayJson(terminal, { report })
  return 0
}
