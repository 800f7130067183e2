// C++ and CUDA are formatted as .clang-format says. `--write` mends them.

import { fileURLToPath } from 'node:url'
import { runMain, say } from '../lib/report.mjs'
import { must, run } from '../lib/run.mjs'
import { root } from '../lib/workspace.mjs'

export const title = 'C++ and CUDA are formatted'

const SOURCES = ['cpp', 'h', 'hpp', 'cu', 'cuh'].map((end) => `*.${end}`)

async function sources(from) {
  const listed = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...SOURCES]
  return (await must('git', listed, { cwd: from })).split('\0').filter(Boolean)
}

/** @param {string} [from] a git repository with a .clang-format */
export async function check(from = root) {
  const files = await sources(from)
  if (files.length === 0) return { problems: [], note: 'no C++ sources' }
  const { code, output } = await run('clang-format', ['--dry-run', '--Werror', ...files], {
    cwd: from,
  })
  if (code === 0) return { problems: [], note: `${files.length} files` }
  const problems = output.split('\n').filter((line) => line.includes('error:'))
  return { problems: problems.length > 0 ? problems : [output] }
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv.includes('--write')) {
  await runMain(async () => {
    const files = await sources(root)
    if (files.length > 0) await must('clang-format', ['-i', ...files])
    say(`formatted ${files.length} C++ files`)
    return 0
  })
}
