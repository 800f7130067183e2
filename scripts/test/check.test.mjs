import { describe, expect, it } from 'vitest'
import { runChecks } from '../checks/index.mjs'
import { must, run } from '../lib/run.mjs'
import { tally } from '../vitest/tally.mjs'

describe('checks', () => {
  it('refuse an unknown name and list the known ones', async () => {
    await expect(runChecks(['layer'])).rejects.toThrow(/Unknown check layer\. .*layers, cycles/)
  })
})

describe('commands', () => {
  it('give back their output when they succeed', async () => {
    expect(await must(process.execPath, ['-p', '1 + 1'])).toBe('2\n')
  })

  it('show the whole output, the command and its exit code when they fail', async () => {
    const script = 'console.log("out"); console.error("err"); process.exit(3)'
    const failing = must(process.execPath, ['-e', script])
    await expect(failing).rejects.toThrow(/out\nerr\n\n.*exit code 3/)
  })

  it('report a program that does not exist', async () => {
    await expect(run('/nonexistent/tool', [])).rejects.toThrow('ENOENT')
  })
})

describe('the last line of a test run', () => {
  const module = (state, states) => ({
    state: () => state,
    children: { allTests: () => states.map((each) => ({ result: () => ({ state: each }) })) },
  })

  it('counts passed, failed and skipped tests', () => {
    const modules = [
      module('failed', ['passed', 'failed']),
      module('passed', ['passed', 'skipped']),
    ]
    expect(tally(modules, [])).toEqual({ passed: 2, failed: 1, skipped: 1 })
  })

  it('counts a file that does not load and an unhandled error as failures', () => {
    expect(tally([module('failed', [])], [new Error('stray')])).toMatchObject({ failed: 2 })
  })
})
