// A file has one subject. 350 lines is where it certainly has two.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { must } from '../lib/run.mjs'
import { root } from '../lib/workspace.mjs'

export const title = 'no source file over 350 lines'

const MOST_LINES = 350
const SOURCES = ['ts', 'mjs', 'cpp', 'h', 'hpp', 'inc', 'cu', 'cuh', 'py', 'sh'].map(
  (end) => `*.${end}`,
)

/** @param {string} [from] a git repository */
export async function check(from = root) {
  const listed = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...SOURCES]
  const files = (await must('git', listed, { cwd: from })).split('\0').filter(Boolean)
  const problems = []
  for (const file of files) {
    const lines = readFileSync(join(from, file), 'utf8').split('\n').length - 1
    if (lines > MOST_LINES) problems.push(`${file}: ${lines} lines; at most ${MOST_LINES}`)
  }
  return { problems }
}
