// Every link of a document to a file of the repository leads somewhere, also to the heading it names.

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { readmes, sitePages } from '../lib/examples.mjs'
import { root } from '../lib/workspace.mjs'

export const title = 'links between documents lead somewhere'

/** Code is no link, and keeps its lines. */
function withoutCode(text) {
  return text
    .replaceAll(/^(`{3,})[^\n]*\n[\s\S]*?^\1$/gm, (block) => block.replaceAll(/[^\n]/g, ''))
    .replaceAll(/`[^`\n]*`/g, '')
}

/**
 * @param {string} text
 * @returns {{ href: string, line: number }[]}
 */
export function linksOf(text) {
  return withoutCode(text)
    .split('\n')
    .flatMap((content, index) =>
      [...content.matchAll(/\]\(([^()\s]+)\)/g)].map(([, href]) => ({ href, line: index + 1 })),
    )
    .filter(({ href }) => !/^[a-z]+:/.test(href))
}

/** The names that headings can be linked by. */
export function anchorsOf(text) {
  const lines = text.replaceAll(/^(`{3,})[^\n]*\n[\s\S]*?^\1$/gm, '').split('\n')
  return lines
    .filter((line) => /^#{1,6} /.test(line))
    .map((line) =>
      line
        .replace(/^#+ /, '')
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .trim()
        .replaceAll(/\s/g, '-'),
    )
}

function problemWith(from, page, href) {
  const [path, anchor] = href.split('#')
  // On the site `/` is the folder of the pages.
  const target = path.startsWith('/') ? join('docs', path) : normalize(join(dirname(page), path))
  const file = path === '' ? page : target
  const isGenerated = file.startsWith('docs/api')
  if (isGenerated) return undefined
  if (!existsSync(join(from, file))) {
    if (existsSync(join(from, `${file}.md`))) return undefined
    return `${file} is not there`
  }
  if (!anchor || !file.endsWith('.md')) return undefined
  if (anchorsOf(readFileSync(join(from, file), 'utf8')).includes(anchor)) return undefined
  return `${file} has no heading #${anchor}`
}

/** @param {{ from?: string, texts?: { readme: string, text: string }[] }} [options] */
export async function check({ from = root, texts } = {}) {
  const contributing = 'CONTRIBUTING.md'
  const pages = texts ?? [
    ...readmes(),
    ...sitePages(),
    { readme: contributing, text: readFileSync(join(from, contributing), 'utf8') },
  ]
  let count = 0
  const problems = []
  for (const { readme, text } of pages) {
    for (const { href, line } of linksOf(text)) {
      count++
      const problem = problemWith(from, readme, href)
      if (problem) problems.push(`${readme}:${line} ${href}: ${problem}`)
    }
  }
  return { problems, note: `${count} links` }
}
