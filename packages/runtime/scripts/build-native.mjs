// Builds the native addon with the cmake and ninja that come as dependencies. Ninja decides what
// is stale, so a second run takes a fraction of a second.

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('..', import.meta.url))
const build = join(here, 'build')
const bin = join(here, 'node_modules', '.bin')
const jobs = String(availableParallelism())
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` }

/** A build folder remembers its absolute path and its compiler; a moved one must start afresh. */
function isForeign() {
  const cache = join(build, 'CMakeCache.txt')
  if (!existsSync(cache)) return existsSync(build)
  const text = readFileSync(cache, 'utf8')
  const home = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(text)?.[1]
  return home === undefined || resolve(home) !== resolve(here)
}

function run(command, args) {
  execFileSync(join(bin, command), args, { cwd: here, env, stdio: 'inherit' })
}

if (isForeign()) rmSync(build, { recursive: true })
if (existsSync(join(build, 'build.ninja'))) run('ninja', ['-C', 'build', '-j', jobs])
else run('cmake-js', ['build', '-G', 'Ninja', '-B', 'Release', '-p', jobs, '-l', 'error'])
