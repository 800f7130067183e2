import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { installFakeCuda } from './support/fake-cuda.js'

const run = promisify(execFile)
const home = fileURLToPath(new URL('..', import.meta.url))
const root = fileURLToPath(new URL('../../..', import.meta.url))
const script = fileURLToPath(new URL('./children/cuda-exit.mjs', import.meta.url))

// Child processes load the package as its users do.
beforeAll(async () => {
  await installFakeCuda()
  // A packed checkout has it compiled, and no compiler.
  if (process.env['DEEPGEMM_PREBUILT'] !== '1') {
    await run(join(root, 'node_modules/.bin/tsc'), ['-b', home])
  }
}, 300_000)

/** What the child prints; rejects when it crashes or exits with a code. */
async function child(ending: string): Promise<string> {
  return (await run(process.execPath, [script, ending])).stdout
}

describe('a process with work in flight on a CUDA device', () => {
  it.each(['falls off its end', 'calls process.exit', 'disposes everything'])(
    'ends cleanly when it %s',
    async (ending) => {
      expect(await child(ending)).toBe('')
    },
  )

  it('has nothing left after it awaited its work and disposed everything', async () => {
    expect(await child('awaits its work')).toBe('[]')
  })

  it('has nothing left of workers that were terminated or ended in theirs', async () => {
    expect(await child('uses workers')).toBe('[]')
  }, 120_000)
})
