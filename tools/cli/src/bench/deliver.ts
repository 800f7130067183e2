import { noiseText, productCells, reportText, resultHtml, type SuiteResult } from '@deepgemm/bench'
import { writeFileAtomic } from 'deepgemm'
import { printTable } from '../output/table.js'
import { say, type Terminal } from '../output/terminal.js'

export type BenchFiles = {
  /** Where the JSON goes, and the page; undefined: nowhere. */
  readonly out: string | undefined
  readonly report: string | undefined
}

/** The table for people, and the files. */
export async function deliver(
  terminal: Terminal,
  result: SuiteResult,
  { out, report }: BenchFiles,
): Promise<void> {
  printProducts(terminal, result)
  if (out !== undefined) {
    await writeFileAtomic(out, reportText(result), { overwrite: true })
    say(terminal, `Figures written to ${out}`)
  }
  if (report !== undefined) {
    await writeFileAtomic(report, await resultHtml(result), { overwrite: true })
    say(terminal, `Page written to ${report}`)
  }
}

function printProducts(terminal: Terminal, result: SuiteResult): void {
  const { heads, rows } = productCells(result)
  printTable(
    terminal,
    heads.map((name, i) => ({ name, align: rows[0]?.[i]?.kind === 'name' ? 'left' : 'right' })),
    rows.map((cells) => cells.map(({ text }) => text)),
  )
  const { rounds } = result.meta
  say(
    terminal,
    `Medians of ${rounds} rounds; noise: ${noiseText(rounds)}. "over" a library: its time over ours, ` +
      'above 1 ours is faster.',
  )
}
