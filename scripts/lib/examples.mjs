// The TypeScript examples of the READMEs and of the site, compiled as a user's own project would compile them.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { codeBlocks } from './markdown.mjs'
import { run } from './run.mjs'
import { packages, root } from './workspace.mjs'

const CONFIG = {
  compilerOptions: {
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    types: ['node'],
    typeRoots: [join(root, 'node_modules', '@types')],
    module: 'nodenext',
    strict: true,
    skipLibCheck: true,
    rootDir: '.',
    outDir: 'out',
  },
  include: ['src'],
}

/**
 * @typedef {{ id: string, readme: string, line: number, runs: boolean, script: string }} Example
 *   `script` is the compiled file; an example marked `no-run` is compiled only.
 */

/** `packages-dense` for `packages/dense/README.md`, `docs-start` for `docs/start.md`. */
function idOf(page) {
  const name = basename(page) === 'README.md' ? dirname(page) : page.replace(/\.md$/, '')
  return name.replaceAll(/[/.]/g, '-')
}

/**
 * @param {string} readme path relative to the repository
 * @param {string} text
 */
export function examplesOf(readme, text) {
  return codeBlocks(text)
    .filter(({ language }) => language === 'ts' || language === 'typescript')
    .map(({ code, line, words }, index) => ({
      id: `${idOf(readme)}-${index + 1}`,
      readme,
      line,
      code,
      runs: !words.includes('no-run'),
    }))
}

/** @returns {{ readme: string, text: string }[]} */
export function readmes() {
  return ['.', ...packages().map((item) => item.path)]
    .map((folder) => join(folder, 'README.md'))
    .filter((readme) => existsSync(join(root, readme)))
    .map((readme) => ({ readme, text: readFileSync(join(root, readme), 'utf8') }))
}

/** The pages of the site that are written by hand. */
export function sitePages(from = root) {
  return ['docs', 'docs/concepts', 'docs/guides']
    .filter((folder) => existsSync(join(from, folder)))
    .flatMap((folder) =>
      readdirSync(join(from, folder))
        .filter((name) => name.endsWith('.md'))
        .map((name) => join(folder, name)),
    )
    .map((readme) => ({ readme, text: readFileSync(join(from, readme), 'utf8') }))
}

function layOut(examples, work) {
  rmSync(work, { recursive: true, force: true })
  mkdirSync(join(work, 'src'), { recursive: true })
  for (const item of packages()) {
    const link = join(work, 'node_modules', item.name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(item.dir, link)
  }
  writeFileSync(join(work, 'package.json'), '{ "type": "module" }\n')
  writeFileSync(join(work, 'tsconfig.json'), JSON.stringify(CONFIG))
  for (const { id, code } of examples) writeFileSync(join(work, 'src', `${id}.ts`), code)
}

/**
 * Compiles examples against the built packages.
 * @param {{ readme: string, text: string }[]} [texts]
 * @param {string} [work] folder to compile in, emptied first
 * @returns {Promise<{ examples: Example[], errors: string }>}
 */
export async function compileExamples(texts = readmes(), work = join(root, '.cache', 'examples')) {
  const examples = texts.flatMap(({ readme, text }) => examplesOf(readme, text))
  layOut(examples, work)
  if (examples.length === 0) return { examples: [], errors: '' }
  const { code, output } = await run('tsc', ['-p', work])
  return {
    examples: examples.map((item) => ({ ...item, script: join(work, 'out/src', `${item.id}.js`) })),
    errors: code === 0 ? '' : output,
  }
}
