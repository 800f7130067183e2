// Every CUDA kernel compiles with nvcc, without register spills, where nvcc is there.
// kernels/cuda/kernels.json lists them: [{ "name", "source", "defines": { "BLOCK_M": "128" } }].

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { devNull } from 'node:os'
import { join } from 'node:path'
import { run } from '../lib/run.mjs'
import { root } from '../lib/workspace.mjs'

export const title = 'CUDA kernels compile without spills (nvcc)'

const FLAGS = ['-arch=sm_90a', '-std=c++20', '-cubin', '-Xptxas', '-v', '-o', devNull]

/**
 * Spills that ptxas reports with -v.
 * @param {string} output
 */
export function spillsIn(output) {
  return output
    .split('\n')
    .filter((line) => /[1-9]\d* bytes spill (stores|loads)/.test(line))
    .map((line) => line.trim())
}

function hasSources(folder) {
  if (!existsSync(folder)) return false
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).some((name) =>
    /\.cuh?$/.test(name),
  )
}

async function compile(nvcc, folder, { name, source, defines = {} }) {
  const macros = Object.entries(defines).map(([key, value]) => `-D${key}=${value}`)
  const args = [...FLAGS, '-I', folder, ...macros, join(folder, source)]
  const { code, output } = await run(nvcc, args)
  if (code !== 0) return [`${name}: nvcc exit code ${code}\n${output}`]
  return spillsIn(output).map((line) => `${name}: ${line}`)
}

async function exists(command) {
  try {
    return (await run(command, ['--version'])).code === 0
  } catch {
    return false
  }
}

/** @param {{ from?: string, nvcc?: string }} [options] */
export async function check({ from = root, nvcc = 'nvcc' } = {}) {
  const folder = join(from, 'kernels', 'cuda')
  if (!hasSources(folder)) return { problems: [], note: 'no CUDA sources yet' }
  const manifest = join(folder, 'kernels.json')
  if (!existsSync(manifest)) {
    return { problems: ['kernels/cuda has sources but no kernels.json that lists its kernels'] }
  }
  if (!(await exists(nvcc))) return { problems: [], skipped: 'nvcc is not on this machine' }
  const kernels = JSON.parse(readFileSync(manifest, 'utf8'))
  const problems = []
  for (const kernel of kernels) problems.push(...(await compile(nvcc, folder, kernel)))
  return { problems, note: `${kernels.length} kernels` }
}
