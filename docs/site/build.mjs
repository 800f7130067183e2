// Builds the site into docs/site/dist: the pages of docs, and the reference made from the sources.

import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vitepress'
import { writeReference } from './reference.mjs'
import { resultsPage } from './results.mjs'

const docs = fileURLToPath(new URL('..', import.meta.url))
const site = fileURLToPath(new URL('.', import.meta.url))
const pages = join(site, 'pages')

/** The generator resolves what pages import from where they lie, so they come to it. */
function gatherPages() {
  rmSync(pages, { recursive: true, force: true })
  mkdirSync(pages)
  const files = readdirSync(docs).filter((name) => name.endsWith('.md'))
  for (const name of [...files, 'concepts', 'guides']) {
    cpSync(join(docs, name), join(pages, name), { recursive: true })
  }
  gatherReports()
  writeFileSync(join(pages, 'results.md'), resultsPage(join(docs, 'benchmarks')))
}

/** Pages of benchmarks need nothing and are left as they are. */
function gatherReports() {
  const from = join(docs, 'benchmarks')
  const to = join(pages, 'public', 'benchmarks')
  mkdirSync(to, { recursive: true })
  for (const name of readdirSync(from).filter((file) => file.endsWith('.html'))) {
    cpSync(join(from, name), join(to, name))
  }
}

const since = performance.now()
gatherPages()
await writeReference(join(pages, 'api'))
const after = performance.now()
await build(site)
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`
console.log(`reference ${seconds(after - since)}, pages ${seconds(performance.now() - after)}`)
