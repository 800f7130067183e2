import { access, constants, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** The report as JSON, a row a line: two reports compare well as texts. */
export function reportText(report: object): string {
  const sections = Object.entries(report).map(([name, value]) => {
    if (!Array.isArray(value)) return `  ${JSON.stringify(name)}: ${indented(value)}`
    const rows = value.map((row) => `    ${JSON.stringify(row)}`).join(',\n')
    return `  ${JSON.stringify(name)}: [${rows === '' ? '' : `\n${rows}\n  `}]`
  })
  return `{\n${sections.join(',\n')}\n}\n`
}

function indented(value: unknown): string {
  return JSON.stringify(value, null, 2).replaceAll('\n', '\n  ')
}

/** Fails now rather than after minutes of measuring, when the folder is not there or not ours. */
export async function requireWritable(path: string): Promise<void> {
  await access(`${dirname(path)}/.`, constants.W_OK) // the dot: a file of that name is no folder
}

/** Writes the report; the file appears whole or not at all. */
export async function writeReport(path: string, report: object): Promise<void> {
  const unfinished = `${path}.${process.pid}.tmp`
  try {
    await writeFile(unfinished, reportText(report))
    await rename(unfinished, path)
  } catch (error) {
    await rm(unfinished, { force: true })
    throw error
  }
}
