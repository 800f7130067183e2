// Every TypeScript block of every README and of the site compiles and runs against the built packages,
// on this machine's default device and on the GPU of the tests' fake driver, which computes nothing but
// refuses what a GPU would; every command line of ours in them is one that the built command takes.

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { wrongCommands } from '../lib/commands.mjs'
import { compileExamples, readmes, sitePages } from '../lib/examples.mjs'
import { must, run, toolEnvironment } from '../lib/run.mjs'
import { packages, root } from '../lib/workspace.mjs'

export const title = 'examples of READMEs and pages compile and run'

function missing() {
  const published = packages().filter((item) => !item.manifest.private)
  return ['.', ...published.map((item) => item.path)]
    .filter((folder) => !existsSync(join(root, folder, 'README.md')))
    .map((folder) => `${folder}: no README.md`)
}

/**
 * @param {{ readme: string, text: string }[]} [texts]
 * @param {string} [work]
 */
export async function runExamples(texts, work) {
  const { examples, errors } = await compileExamples(texts, work)
  if (errors) return { problems: [errors] }
  const cache = mkdtempSync(join(tmpdir(), 'deepgemm-examples-'))
  const problems = []
  try {
    const gpu = await fakeGpu(cache)
    for (const example of examples.filter(({ runs }) => runs)) {
      const problem =
        (await failure(example, {})) ?? (await failure(example, gpu, ' on the fake GPU'))
      if (problem !== undefined) problems.push(problem)
    }
  } finally {
    rmSync(cache, { recursive: true, force: true })
  }
  return { problems, note: `${examples.length} examples` }
}

/** What is wrong with the run of an example; undefined when nothing is. */
async function failure({ readme, line, script }, variables, where = '') {
  const env = { ...toolEnvironment(), ...variables }
  const { code, output } = await run(process.execPath, [script], { cwd: dirname(script), env })
  return code === 0 ? undefined : `${readme}:${line} exit code ${code}${where}\n${output}`
}

/** Variables that make the tests' fake driver the GPU of a process. */
async function fakeGpu(cache) {
  const runtime = join(root, 'packages', 'runtime')
  await must(process.execPath, [join(runtime, 'scripts', 'build-native.mjs'), 'fake_cuda'])
  const library = join(runtime, 'build', 'Release', 'fake_cuda.node')
  return {
    DEEPGEMM_CUDA_LIBRARY: library,
    DEEPGEMM_NVRTC_LIBRARY: library,
    DEEPGEMM_COMPILER: 'nvrtc',
    DEEPGEMM_CACHE_DIR: cache,
  }
}

export async function check() {
  const texts = [...readmes(), ...sitePages()]
  const { problems, note } = await runExamples(texts)
  return { problems: [...missing(), ...(await wrongCommands(texts)), ...problems], note }
}
