// Every TypeScript block of every README and of the site compiles and runs against the built packages;
// every command line of ours in them is one that the built command takes.

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { wrongCommands } from '../lib/commands.mjs'
import { compileExamples, readmes, sitePages } from '../lib/examples.mjs'
import { run } from '../lib/run.mjs'
import { packages, root } from '../lib/workspace.mjs'

export const title = 'examples of READMEs and pages compile and run'

function missing() {
  const published = packages().filter((item) => !item.manifest.private)
  return ['.', ...published.map((item) => item.path)]
    .filter((folder) => !existsSync(join(root, folder, 'README.md')))
    .map((folder) => `${folder}: no README.md`)
}

/**
 * @param {{ readme: string, text: string }[]} [texts]
 * @param {string} [work]
 */
export async function runExamples(texts, work) {
  const { examples, errors } = await compileExamples(texts, work)
  if (errors) return { problems: [errors] }
  const problems = []
  for (const { readme, line, script, runs } of examples) {
    if (!runs) continue
    const { code, output } = await run(process.execPath, [script], { cwd: dirname(script) })
    if (code !== 0) problems.push(`${readme}:${line} exit code ${code}\n${output}`)
  }
  return { problems, note: `${examples.length} examples` }
}

export async function check() {
  const texts = [...readmes(), ...sitePages()]
  const { problems, note } = await runExamples(texts)
  return { problems: [...missing(), ...(await wrongCommands(texts)), ...problems], note }
}
