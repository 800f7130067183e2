// From a fresh clone to a built repository. Safe to run again: what is up to date takes no time.

import { fileURLToPath } from 'node:url'
import { runMain, say, step } from './lib/report.mjs'
import { must, toolEnvironment } from './lib/run.mjs'
import { install, isInstalled, packageManager } from './setup/install.mjs'
import { requireCompiler, requireNode } from './setup/requirements.mjs'

/** @param {{ typescript?: boolean }} [options] tests run from sources and need the addon alone */
export async function setup({ typescript = true } = {}) {
  const node = requireNode()
  const compiler = await requireCompiler()
  say(`DeepGEMM: Node ${node}, ${compiler.version}`)
  if (!isInstalled()) await step(`installing dependencies with ${packageManager}`, install)
  const env = { ...toolEnvironment(), CXX: compiler.command }
  const tasks = typescript ? ['build:native', 'build'] : ['build:native']
  const title = typescript
    ? 'building the native addon and the packages'
    : 'building the native addon'
  await step(title, () => must('turbo', ['run', ...tasks, '--output-logs=errors-only'], { env }))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runMain(async () => {
    await setup()
    return 0
  })
}
