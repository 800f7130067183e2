#!/usr/bin/env node
import { run } from './run.js'

const abort = new AbortController()
process.once('SIGINT', () => abort.abort(new Error('interrupted')))
process.once('SIGTERM', () => abort.abort(new Error('terminated')))
// A reader that has seen enough, such as `head`, closes the pipe: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

const { stdout, stderr } = process
process.exitCode = await run(process.argv.slice(2), { stdout, stderr, signal: abort.signal })
