// What must be on the machine before we start: Node and a C++20 compiler.

import { PlainError } from '../lib/report.mjs'
import { run } from '../lib/run.mjs'

const OLDEST_NODE = [20, 19]

// Library features the native code uses; a compiler that only claims C++20 fails here, in a second.
const PROBE = `
#include <bit>
#include <concepts>
#include <span>
template <std::integral T> T sum(std::span<const T> v) { T s = 0; for (T x : v) s += x; return s; }
static_assert(std::bit_cast<unsigned>(1.0f) == 0x3f800000u);
int main() { const int v[] = {1, 2}; return sum(std::span<const int>(v)); }
`

/** @param {string} [version] */
export function requireNode(version = process.versions.node) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_NODE
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return version
  throw new PlainError(
    `This is Node ${version}; DeepGEMM needs Node ${OLDEST_NODE.join('.')} or newer. ` +
      'Install a newer one from https://nodejs.org and run the command again.',
  )
}

/**
 * Finds the first compiler that compiles C++20, in the order in which cmake would look.
 * @param {readonly string[]} [candidates]
 * @returns {Promise<{ command: string, version: string }>}
 */
export async function requireCompiler(candidates = defaultCompilers()) {
  const tried = []
  for (const command of candidates) {
    const reason = await refusal(command)
    if (reason === undefined) {
      const { output } = await run(command, ['--version'])
      return { command, version: output.split('\n')[0] ?? '' }
    }
    tried.push(`  ${command}: ${reason}`)
  }
  throw new PlainError(
    `No C++20 compiler was found. Tried:\n${tried.join('\n')}\n` +
      'Install g++ 12 or clang++ 15 or newer (Debian: apt install g++), or set CXX to one.',
  )
}

function defaultCompilers() {
  return process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++']
}

/** @param {string} command */
async function refusal(command) {
  try {
    const args = ['-std=c++20', '-fsyntax-only', '-x', 'c++', '-']
    const { code, output } = await run(command, args, { input: PROBE })
    if (code === 0) return undefined
    return output.split('\n').find((line) => line.includes('error')) ?? `exit code ${code}`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
