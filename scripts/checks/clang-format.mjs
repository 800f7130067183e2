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

/** One line for each file: the formatter mends them, nobody needs every place. */
function perFile(output) {
  const places = new Map()
  for (const [, file, line] of output.matchAll(/^(.+?):(\d+):\d+: error:/gm)) {
    places.set(file, [...(places.get(file) ?? []), line])
  }
  if (places.size === 0) return [output]
  return [...places].map(
    ([file, [first, ...more]]) =>
      `${file}:${first} and ${more.length} more places are badly formatted; run: pnpm format`,
  )
}

/** @param {string} [from] a git repository with a .clang-format */
export async function check(from = root) {
  const files = await sources(from)
  if (files.length === 0) return { problems: [], note: 'no C++ sources' }
  const { code, output } = await run('clang-format', ['--dry-run', '--Werror', ...files], {
    cwd: from,
  })
  if (code === 0) return { problems: [], note: `${files.length} files` }
  return { problems: perFile(output) }
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv.includes('--write')) {
  await runMain(async () => {
    const files = await sources(root)
    if (files.length > 0) await must('clang-format', ['-i', ...files])
    say(`formatted ${files.length} C++ files`)
    return 0
  })
}
