// From a fresh clone to a built repository. Safe to run again: what is up to date takes no time.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runMain, say, step } from './lib/report.mjs'
import { must, toolEnvironment } from './lib/run.mjs'
import { root } from './lib/workspace.mjs'
import { install, isInstalled, packageManager } from './setup/install.mjs'
import { requireCompiler, requireNode } from './setup/requirements.mjs'

/** The addon takes a minute or two the first time; nobody should wonder whether it hangs. */
function buildTitle() {
  const first = !existsSync(join(root, 'packages', 'runtime', 'build'))
  return `building the native addon and the packages${first ? ' (first time: a few minutes)' : ''}`
}

export async function setup() {
  const node = requireNode()
  const compiler = await requireCompiler()
  say(`DeepGEMM: Node ${node}, ${compiler.version}`)
  if (!isInstalled()) await step(`installing dependencies with ${packageManager}`, install)
  const env = { ...toolEnvironment(), CXX: compiler.command }
  const tasks = ['build:native', 'build']
  await step(buildTitle(), () =>
    must('turbo', ['run', ...tasks, '--output-logs=errors-only'], { env }),
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runMain(async () => {
    await setup()
    return 0
  })
}
