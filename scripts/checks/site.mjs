// The documentation site builds: the reference of every package, every page, no dead link. In a
// browser, on a desktop and on a phone, its pages fit the window and ask for nothing from elsewhere.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { findBrowser } from '../lib/browser.mjs'
import { run } from '../lib/run.mjs'
import { lookAtSite } from '../lib/site-browser.mjs'
import { root } from '../lib/workspace.mjs'

export const title = 'the documentation site builds and shows in a browser'

export async function check() {
  const site = join(root, 'docs', 'site')
  const { code, output } = await run(process.execPath, [join(site, 'build.mjs')], { cwd: site })
  if (code !== 0) return { problems: [output] }
  const missing = ['index.html', 'start.html', 'results.html', 'api/dense.html']
    .filter((page) => !existsSync(join(site, 'dist', page)))
    .map((page) => `docs/site/dist/${page} was not made`)
  const browser = findBrowser()
  if (browser === undefined) return { problems: missing, note: 'no browser to look at it' }
  return { problems: [...missing, ...(await lookAtSite(join(site, 'dist'), browser))] }
}
