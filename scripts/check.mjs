// `node scripts/check.mjs layers knip` runs some of the house rules, no names run all.

import { runMain, say } from './lib/report.mjs'
import { setup } from './setup.mjs'

await runMain(async () => {
  await setup()
  const { runChecks } = await import('./checks/index.mjs') // stands on what set-up installs
  const { passed, failed } = await runChecks(process.argv.slice(2))
  say(`${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
})
