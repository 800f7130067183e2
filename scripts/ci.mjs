// Everything that must hold before a change goes in: set-up, checks, tests with coverage.

import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runMain, say, seconds } from './lib/report.mjs'
import { foreground } from './lib/run.mjs'
import { root } from './lib/workspace.mjs'
import { setup } from './setup.mjs'

const numbers = join(root, '.cache', 'tests.json')

/** Vitest may also fail for a reason that is no test: too little coverage, or a crash. */
async function runTests() {
  rmSync(numbers, { force: true })
  const code = await foreground('vitest', ['run', '--coverage'])
  let tests = { passed: 0, failed: 0 }
  try {
    tests = JSON.parse(readFileSync(numbers, 'utf8'))
  } catch {
    say('vitest ended before its tests did')
  }
  const otherFailure = code !== 0 && tests.failed === 0
  return {
    passed: tests.passed + (otherFailure ? 0 : 1),
    failed: tests.failed + (otherFailure ? 1 : 0),
  }
}

await runMain(async () => {
  const since = performance.now()
  await setup()
  say('Checks')
  const { runChecks } = await import('./checks/index.mjs') // stands on what set-up installs
  const checks = await runChecks([])
  say(`Tests, after ${seconds(since)}`)
  const tests = await runTests()
  const failed = checks.failed + tests.failed
  say(`All done in ${seconds(since)}.`)
  say(`${checks.passed + tests.passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
})
