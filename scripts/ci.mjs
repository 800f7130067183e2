// Everything that must hold before a change goes in: set-up, checks, tests with coverage.

import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { PlainError, runMain, say, seconds } from './lib/report.mjs'
import { foreground } from './lib/run.mjs'
import { root } from './lib/workspace.mjs'
import { installBrowser } from './setup/browser.mjs'
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

/** @returns {Promise<{ passed: number, failed: number }>} */
async function everything() {
  await setup()
  await installBrowser()
  say('Checks')
  const { runChecks } = await import('./checks/index.mjs') // stands on what set-up installs
  const checks = await runChecks([])
  say('Tests')
  const tests = await runTests()
  return { passed: checks.passed + tests.passed, failed: checks.failed + tests.failed }
}

await runMain(async () => {
  const since = performance.now()
  const { passed, failed } = await everything().catch((error) => {
    say(error instanceof PlainError ? error.message : error.stack)
    return { passed: 0, failed: 1 }
  })
  say(`All done in ${seconds(since)}.`)
  say(`${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
})
