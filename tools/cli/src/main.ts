#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { processTerminal } from './output/terminal.js'
import { run } from './run.js'

const abort = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => abort.abort(new Error('interrupted')))
}
// A reader that has seen enough, such as `head`, closes the pipe: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  process.stderr.write(`deepgemm: The output could not be written: ${error.message}\n`)
  process.exit(1)
})

const manifest = new URL('../package.json', import.meta.url)
const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }
process.exitCode = await run(process.argv.slice(2), version, (json) =>
  processTerminal(json, abort.signal),
)
