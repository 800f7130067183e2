// Pure: rows as text, columns aligned.

export type Cell = string | number | null

/** The lines of a table; numbers stand right, texts left, `null` is a dash. */
export function textTable(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cells = rows.map((row) => row.map((cell) => (cell === null ? '-' : String(cell))))
  const widths = header.map((name, i) =>
    Math.max(name.length, ...cells.map((row) => (row[i] as string).length)),
  )
  const isText = header.map((_, i) => rows.some((row) => typeof row[i] === 'string'))
  const line = (row: readonly string[]): string =>
    row
      .map((text, i) => {
        const width = widths[i] as number
        return isText[i] ? text.padEnd(width) : text.padStart(width)
      })
      .join('  ')
      .trimEnd()
  return [line(header), ...cells.map(line)].map((text) => `${text}\n`).join('')
}
