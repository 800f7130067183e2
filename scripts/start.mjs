// `npm start`: sets everything up, then shows the library at work on a real model.

import { runMain } from './lib/report.mjs'
import { foreground } from './lib/run.mjs'
import { setup } from './setup.mjs'

await runMain(async () => {
  await setup()
  const model = 'docs/examples/tiny-moe/model'
  const args = ['tools/cli/dist/main.js', 'demo', model, ...process.argv.slice(2)]
  return foreground(process.execPath, args)
})
