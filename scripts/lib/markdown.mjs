// Fenced code blocks of a markdown text.

/**
 * @typedef {{ language: string, words: string[], code: string, line: number }} Block
 *   `words` are what follows the language: ```ts no-run
 */

/**
 * @param {string} text
 * @returns {Block[]}
 */
export function codeBlocks(text) {
  const blocks = []
  /** @type {Block & { fence: string } | undefined} */
  let open
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^(`{3,}|~{3,})\s*(.*)$/.exec(line)
    if (open === undefined && fence) {
      const [language = '', ...words] = (fence[2] ?? '').split(/\s+/)
      open = { fence: fence[1] ?? '', language, words, code: '', line: index + 2 }
    } else if (open !== undefined && line.trimEnd() === open.fence) {
      const { fence: _, ...block } = open
      blocks.push(block)
      open = undefined
    } else if (open !== undefined) {
      open.code += `${line}\n`
    }
  }
  return blocks
}
