// Every CUDA kernel compiles with nvcc, without spills and without local memory, where nvcc is there.

import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, devNull, tmpdir } from 'node:os'
import { join } from 'node:path'
import { built, inTurn, listedKernels } from '../lib/cuda-kernels.mjs'
import { run } from '../lib/run.mjs'
import { root } from '../lib/workspace.mjs'

export const title = 'CUDA kernels compile without spills (nvcc)'

const FLAGS = ['-arch=sm_90a', '-std=c++20', '-cubin', '-Xptxas', '-v', '-o', devNull]

// What costs speed in silence: spills and stack frames as ptxas reports them with -v, wgmma that it
// serialises (C7510 and the numbers after it), setmaxnreg that it ignores (C7508).
const SLOW = /\b[1-9]\d* bytes (stack frame|spill stores|spill loads)|\(C75\d\d\)/

/**
 * Lines of ptxas about spills, local memory and ignored instructions.
 * @param {string} output
 */
export function spillsIn(output) {
  return output
    .split('\n')
    .filter((line) => SLOW.test(line))
    .map((line) => line.trim())
}

function hasSources(folder) {
  if (!existsSync(folder)) return false
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).some((name) =>
    /\.cuh?$/.test(name),
  )
}

/** The text of config.cuh, from the function that the JIT uses. */
async function configHeader({ name, members }) {
  const { configHeader: header } = await built('jit', 'config-header.js')
  return header(name, members)
}

async function compile(nvcc, folder, { name, source, defines = {}, config }) {
  const macros = Object.entries(defines).map(([key, value]) => `-D${key}=${value}`)
  const generated = mkdtempSync(join(tmpdir(), 'deepgemm-config-'))
  try {
    if (config) writeFileSync(join(generated, 'config.cuh'), await configHeader(config))
    const include = ['-I', folder, '-I', generated]
    const args = [...FLAGS, ...include, ...macros, join(folder, source)]
    const { code, output } = await run(nvcc, args)
    if (code !== 0) return [`${name}: nvcc exit code ${code}\n${output}`]
    return spillsIn(output).map((line) => `${name}: ${line}`)
  } finally {
    rmSync(generated, { recursive: true, force: true })
  }
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
  const kernels = listedKernels(folder)
  const workers = Math.min(4, availableParallelism())
  const problems = await inTurn(kernels, workers, (kernel) => compile(nvcc, folder, kernel))
  return { problems, note: `${kernels.length} kernels` }
}
