// Vitest reporter: a last line `N passed, N failed`, and the same numbers in a file for CI.

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * A test file that does not load and an error outside any test count as one failure each.
 * @param {readonly import('vitest/node').TestModule[]} modules
 * @param {readonly unknown[]} unhandledErrors
 */
export function tally(modules, unhandledErrors) {
  const result = { passed: 0, failed: unhandledErrors.length, skipped: 0 }
  for (const module of modules) {
    let failedHere = 0
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state === 'passed') result.passed++
      else if (state === 'failed') failedHere++
      else result.skipped++
    }
    const broken = failedHere === 0 && module.state() === 'failed'
    result.failed += broken ? 1 : failedHere
  }
  return result
}

export default class TallyReporter {
  /** @param {{ file?: string }} [options] where to write the numbers */
  constructor({ file } = {}) {
    this.file = file
  }

  onTestRunEnd(modules, unhandledErrors) {
    const result = tally(modules, unhandledErrors)
    if (this.file !== undefined) {
      mkdirSync(dirname(this.file), { recursive: true })
      writeFileSync(this.file, JSON.stringify(result))
    }
    const skipped = result.skipped > 0 ? `${result.skipped} skipped\n` : ''
    process.on('exit', () => {
      process.stdout.write(`${skipped}${result.passed} passed, ${result.failed} failed\n`)
    })
  }
}
