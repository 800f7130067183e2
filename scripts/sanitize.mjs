// `node scripts/sanitize.mjs address`: every test with an addon that is built with AddressSanitizer
// and UBSan; `thread`: with ThreadSanitizer. What follows goes to vitest: `address --project moe`.
// `--kernels` runs the kernels' own tests instead, which need no Node.

import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { PlainError, runMain, say, step } from './lib/report.mjs'
import { foreground, toolEnvironment } from './lib/run.mjs'
import { root } from './lib/workspace.mjs'
import { buildAddon, buildKernelTests, preloads, SANITIZERS } from './sanitize/builds.mjs'
import { optionsOf } from './sanitize/options.mjs'
import { setup } from './setup.mjs'

const jobs = Math.max(1, Number(process.env.SANITIZE_JOBS) || availableParallelism())

async function runKernels(kind) {
  const program = await step(`building the kernels' tests`, () => buildKernelTests(kind, jobs))
  return foreground(program, [], { ...process.env, ...optionsOf(kind) })
}

async function runSuite(kind, args) {
  const folder = await step('building the addon', () => buildAddon(kind, jobs))
  const env = {
    ...toolEnvironment(),
    ...optionsOf(kind),
    LD_PRELOAD: (await preloads(kind)).join(' '),
    DEEPGEMM_PREBUILT: '1', // nothing is built while the libraries are preloaded
    DEEPGEMM_NATIVE: join(folder, 'deepgemm_runtime.node'),
    SANITIZED_BUILD: folder,
    SANITIZER: kind,
  }
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  // Sanitized kernels are 5 to 20 times slower, and each process needs several times the memory.
  const limits = ['--testTimeout=1200000', '--hookTimeout=1200000', '--maxWorkers=1']
  return foreground(process.execPath, [vitest, 'run', ...limits, ...args], env)
}

await runMain(async () => {
  const [kind, ...rest] = process.argv.slice(2)
  if (!Object.hasOwn(SANITIZERS, kind ?? '')) {
    throw new PlainError(`usage: node scripts/sanitize.mjs <address|thread> [--kernels | vitest …]`)
  }
  if (rest[0] === '--kernels') return runKernels(kind)
  await setup()
  const code = await runSuite(kind, rest)
  say(code === 0 ? `${kind}: clean` : `${kind}: failed`)
  return code
})
