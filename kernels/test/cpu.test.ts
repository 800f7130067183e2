// The C++ tests of the CPU kernels, built and run without Node: each case appears here as a test.

import { type ExecFileException, execFile } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cpuSources } from '@deepgemm/kernels'
import { describe, expect, it } from 'vitest'

const here = dirname(fileURLToPath(import.meta.url))
const build = join(here, '..', 'build')
const tool = (name: string): string => join(here, '..', 'node_modules', '.bin', name)

interface Outcome {
  readonly code: number
  readonly output: string
}

function run(command: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(command, args, { maxBuffer: 2 ** 26 }, (error: ExecFileException | null, out, err) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
      resolve({ code, output: out + err })
    })
  })
}

async function must(command: string, args: readonly string[]): Promise<void> {
  const { code, output } = await run(command, args)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: exit code ${code}\n${output}`)
}

const ninja = `-DCMAKE_MAKE_PROGRAM=${tool('ninja')}`
await must(tool('cmake'), ['-S', cpuSources, '-B', build, '-G', 'Ninja', ninja])
await must(tool('cmake'), ['--build', build, '--target', 'deepgemm_cpu_test', '--parallel', '2'])
const { code, output } = await run(join(build, 'test', 'deepgemm_cpu_test'), [])
const cases = [...output.matchAll(/^(ok {2}|FAIL) (.+)$/gm)]

describe('CPU kernels in C++', () => {
  it.each(cases.map(([, state, name]) => ({ state, name })))('$name', ({ state }) => {
    expect(state, output).toBe('ok  ')
  })

  it('all run to their end', () => {
    expect(cases.length).toBeGreaterThan(0)
    expect(code, output).toBe(0)
  })
})
