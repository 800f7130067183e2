// Builds, checks and publishes what is new: `pnpm release`. With --dry-run all but the publishing.

import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { PlainError, runMain, say, step } from './lib/report.mjs'
import { foreground, must } from './lib/run.mjs'
import { root } from './lib/workspace.mjs'
import { setup } from './setup.mjs'

/** What is published must be what the commit says. */
async function requireCleanTree() {
  const changed = await must('git', ['status', '--porcelain'])
  if (changed === '') return
  throw new PlainError(
    `There are changes that are not committed:\n${changed}Commit or remove them.`,
  )
}

await runMain(async () => {
  const { values } = parseArgs({ options: { 'dry-run': { type: 'boolean', default: false } } })
  const isDry = values['dry-run']
  if (!isDry) await requireCleanTree()
  await setup()
  const { runChecks } = await import('./checks/index.mjs') // stands on what set-up installs
  const { failed } = await runChecks([])
  if (failed > 0) throw new PlainError(`${failed} checks failed: nothing was published.`)
  if ((await foreground('vitest', ['run'])) !== 0) {
    throw new PlainError('A test failed: nothing was published.')
  }
  const { writeBill } = await import('./sbom.mjs')
  const file = join(root, '.cache', 'sbom.cdx.json')
  await step('writing the bill of materials', () => writeBill(file))
  if (isDry) {
    say('Dry run: nothing was published.')
    return 0
  }
  return foreground('changeset', ['publish'])
})
