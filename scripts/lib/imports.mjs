// What a TypeScript source imports, read by a parser.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSync } from 'oxc-parser'

/**
 * @typedef {{ specifier: string, erased: boolean, line: number }} Import
 *   `erased`: an `import type`, which leaves nothing behind at run time.
 */

/**
 * @param {string} file its name tells the parser the language
 * @param {string} text
 * @returns {Import[]}
 */
export function importsOf(file, text) {
  const { module, errors } = parseSync(file, text)
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`)
  const line = (offset) => text.slice(0, offset).split('\n').length
  const found = []
  for (const item of module.staticImports) {
    const erased = /^import\s+type\b/.test(text.slice(item.start, item.end))
    found.push({ specifier: item.moduleRequest.value, erased, line: line(item.start) })
  }
  for (const item of module.staticExports) {
    const request = item.entries.find((entry) => entry.moduleRequest)?.moduleRequest
    if (!request) continue
    const erased = /^export\s+type\b/.test(text.slice(item.start, item.end))
    found.push({ specifier: request.value, erased, line: line(item.start) })
  }
  for (const item of module.dynamicImports) {
    const quoted = text.slice(item.moduleRequest.start, item.moduleRequest.end)
    const literal = /^(['"])(.*)\1$/.exec(quoted)
    if (literal) found.push({ specifier: literal[2] ?? '', erased: false, line: line(item.start) })
  }
  return found
}

/**
 * Sources below a folder, sorted; none when there is no such folder.
 * @param {string} folder
 * @returns {{ file: string, text: string }[]}
 */
export function sourcesIn(folder) {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .sort()
      .map((name) => join(folder, name))
      .map((file) => ({ file, text: readFileSync(file, 'utf8') }))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}
