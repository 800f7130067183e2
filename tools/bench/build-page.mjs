// Bundles what draws a report's pictures, with the plot library, into dist/page.js, and the licences
// of all that went into it into dist/page-licences.txt.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'rolldown'

const at = (path) => fileURLToPath(new URL(path, import.meta.url))
const BANNER =
  '/* Made with Observable Plot and D3: ISC licence, copyright Observable, Inc. and Mike Bostock; ' +
  'all licences: page-licences.txt of @deepgemm/bench */'

const { output } = await build({
  input: at('page/main.ts'),
  resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
  output: { file: at('dist/page.js'), format: 'iife', minify: true, postBanner: BANNER },
  logLevel: 'warn',
})

/** Folders of the packages that modules of the bundle are from. */
function packageFolders(modules) {
  const folders = modules.flatMap(
    (id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? [],
  )
  return [...new Set(folders)].sort()
}

function licence(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry))
  const text = file === undefined ? '' : readFileSync(join(folder, file), 'utf8')
  return `${name} ${version}, ${license}\n\n${text.trim()}\n`
}

const folders = packageFolders(output[0].moduleIds).filter((folder) => existsSync(folder))
writeFileSync(at('dist/page-licences.txt'), folders.map(licence).join(`\n${'-'.repeat(72)}\n\n`))
