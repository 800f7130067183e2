// A page of the committed measurements: what docs/benchmarks/*.json say, as tables.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** @param {unknown} value */
function show(value) {
  if (typeof value === 'number') return String(Number(value.toPrecision(4)))
  if (Array.isArray(value)) return value.map(show).join(', ')
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value)
      .map(([key, item]) => `${words(key)} ${show(item)}`)
      .join(', ')
  }
  return String(value ?? '').replaceAll('|', '\\|')
}

function words(key) {
  return key.replaceAll('_', ' ')
}

function table(rows) {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [
    line(columns.map(words)),
    line(columns.map(() => '---')),
    ...rows.map((row) => line(columns.map((key) => show(row[key])))),
  ].join('\n')
}

const isRows = (value) =>
  Array.isArray(value) && value.length > 0 && typeof value[0] === 'object' && value[0] !== null

/** One measurement with its machine, versions and command. */
export function section(name, { format, meta = {}, ...parts }) {
  // What `deepgemm bench` wrote has a page of its own beside it.
  if (format !== undefined) {
    const page = `[pictures and figures](./benchmarks/${name}.html)`
    return `## ${name}\n\n${meta.set} on ${meta.device}: ${page}, by \`${meta.command}\`.`
  }
  const facts = Object.entries(meta).map(([key, value]) => `- ${words(key)}: ${show(value)}`)
  const tables = Object.entries(parts)
    .filter(([, value]) => isRows(value))
    .map(([key, rows]) => `### ${words(key)}\n\n${table(rows)}`)
  return [`## ${name}`, facts.join('\n'), ...tables].join('\n\n')
}

/** @param {string} folder */
export function resultsPage(folder) {
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'))
  const sections = files.map((name) =>
    section(name.replace('.json', ''), JSON.parse(readFileSync(join(folder, name), 'utf8'))),
  )
  const head =
    '# Results\n\nMeasurements as they were committed, with the machine, the versions and the ' +
    'command that gave them. Ratios are ours over theirs: above 1 ours is faster.\n\n' +
    'What they mean is told in [performance](./performance.md).'
  return `${[head, ...sections].join('\n\n')}\n`
}
