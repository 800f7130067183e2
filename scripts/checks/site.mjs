// The documentation site builds: the reference of every package, every page, no dead link.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../lib/run.mjs'
import { root } from '../lib/workspace.mjs'

export const title = 'the documentation site builds'

export async function check() {
  const site = join(root, 'docs', 'site')
  const { code, output } = await run(process.execPath, [join(site, 'build.mjs')], { cwd: site })
  if (code !== 0) return { problems: [output] }
  const missing = ['index.html', 'start.html', 'results.html', 'api/dense.html']
    .filter((page) => !existsSync(join(site, 'dist', page)))
    .map((page) => `docs/site/dist/${page} was not made`)
  return { problems: missing }
}
