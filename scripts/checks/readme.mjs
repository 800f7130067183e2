// Every TypeScript block of every README compiles and runs against the built packages.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { compileExamples } from '../lib/examples.mjs'
import { run } from '../lib/run.mjs'
import { packages, root } from '../lib/workspace.mjs'

export const title = 'README examples compile and run'

export async function check() {
  const published = packages().filter((item) => !item.manifest.private)
  const problems = ['.', ...published.map((item) => item.path)]
    .filter((folder) => !existsSync(join(root, folder, 'README.md')))
    .map((folder) => `${folder}: no README.md`)
  const { examples, errors } = await compileExamples()
  if (errors) return { problems: [...problems, errors] }
  for (const { readme, line, script, runs } of examples) {
    if (!runs) continue
    const { code, output } = await run(process.execPath, [script])
    if (code !== 0) problems.push(`${readme}:${line} exit code ${code}\n${output}`)
  }
  return { problems, note: `${examples.length} examples` }
}
