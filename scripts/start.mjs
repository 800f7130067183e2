// `npm start`: sets everything up, then shows the library at work on a real model.

import { runMain } from './lib/report.mjs'
import { foreground } from './lib/run.mjs'
import { setup } from './setup.mjs'

await runMain(async () => {
  await setup()
  return foreground(process.execPath, ['tools/cli/dist/main.js', 'demo', ...process.argv.slice(2)])
})
