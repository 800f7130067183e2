// `npm test`: sets everything up, then runs every test. Arguments go to vitest:
// `npm test -- --project dense` runs one package.

import { runMain, say } from './lib/report.mjs'
import { foreground } from './lib/run.mjs'
import { setup } from './setup.mjs'

await runMain(async () => {
  await setup()
  say('  running the tests')
  return foreground('vitest', ['run', ...process.argv.slice(2)])
})
