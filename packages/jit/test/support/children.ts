import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import type { WarmReport, WarmTask } from '../children/warm.js'

// A child process cannot load TypeScript on the oldest Node we support: each script is bundled once
// per test file, with the sources of this package, so that no package has to be built first.

const here = dirname(fileURLToPath(import.meta.url))
const packages = join(here, '..', '..', '..')
const built = new Map<string, Promise<string>>()

/** Path of the bundled script `test/children/<name>.ts`. */
export function childScript(name: string): Promise<string> {
  const known = built.get(name)
  if (known !== undefined) return known
  const started = bundle(name)
  built.set(name, started)
  return started
}

async function bundle(name: string): Promise<string> {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'deepgemm-jit-child-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const build = await rolldown({
    input: join(here, '..', 'children', `${name}.ts`),
    platform: 'node',
    resolve: {
      alias: {
        '@deepgemm/core': join(packages, 'core/src/index.ts'),
        '@deepgemm/jit': join(packages, 'jit/src/index.ts'),
        '@deepgemm/kernels': join(packages, '../kernels/src/index.ts'),
        '@deepgemm/runtime/cuda': join(packages, 'runtime/src/cuda/index.ts'),
      },
    },
  })
  const file = join(folder, `${name}.mjs`)
  await build.write({ file, format: 'esm', codeSplitting: false })
  await build.close()
  return file
}

export type ChildLimits = {
  /** Longest file it may write, in blocks of 512 bytes. */
  readonly maxBlocks?: number
}

/** Starts a child with its task as JSON in its first argument. */
export async function startChild(
  name: string,
  task: WarmTask,
  { maxBlocks }: ChildLimits = {},
): Promise<ChildProcess> {
  const args = [await childScript(name), JSON.stringify(task)]
  const stdio = ['ignore', 'pipe', 'inherit'] as const
  if (maxBlocks === undefined) return spawn(process.execPath, args, { stdio: [...stdio] })
  // ulimit is a shell's own command; the arguments are passed, not pasted into the script.
  const script = 'ulimit -f "$1" && shift && exec "$@"'
  const limited = ['-c', script, 'sh', String(maxBlocks), process.execPath, ...args]
  return spawn('/bin/sh', limited, { stdio: [...stdio] })
}

/** Runs a child to its end and returns what it reports. */
export async function runChild(
  name: string,
  task: WarmTask,
  limits: ChildLimits = {},
): Promise<WarmReport> {
  const child = await startChild(name, task, limits)
  let output = ''
  child.stdout?.on('data', (chunk) => {
    output += String(chunk)
  })
  const code = await new Promise((resolve) => child.once('close', resolve))
  if (code !== 0) throw new Error(`${name} ended with ${String(code)}: ${output}`)
  return JSON.parse(output) as WarmReport
}
