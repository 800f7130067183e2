import { Table } from 'console-table-printer'
import type { Terminal } from './terminal.js'

export type Column = { readonly name: string; readonly align?: 'left' | 'right' }
export type Cell = string | number

/** A drawn table for people, tab-separated lines when the output is piped. */
export function printTable(
  terminal: Terminal,
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
): void {
  if (terminal.json) return
  terminal.stdout.write(
    isPiped(terminal) ? tabSeparated(columns, rows) : `${drawn(columns, rows)}\n`,
  )
}

function isPiped({ stdout }: Terminal): boolean {
  return (stdout as { isTTY?: boolean }).isTTY !== true
}

function tabSeparated(columns: readonly Column[], rows: readonly (readonly Cell[])[]): string {
  const header = columns.map(({ name }) => name)
  return [header, ...rows].map((row) => `${row.join('\t')}\n`).join('')
}

function drawn(columns: readonly Column[], rows: readonly (readonly Cell[])[]): string {
  const table = new Table({
    // Its default is white text, which a light terminal does not show.
    shouldDisableColors: true,
    columns: columns.map(({ name, align = 'left' }) => ({ name, alignment: align })),
  })
  for (const row of rows) {
    table.addRow(Object.fromEntries(columns.map(({ name }, i) => [name, row[i]])))
  }
  return table.render()
}
