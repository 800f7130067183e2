// Every CUDA kernel compiles with nvcc, without spills and without local memory, where nvcc is there.
// kernels/cuda/kernels.json and those of its folders list them:
// [{ "name", "source", "defines": { "BLOCK_M": "128" } }], or with "config": { "name", "members" }
// instead, which becomes config.cuh as the JIT writes it.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, devNull, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
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

function manifestsIn(folder) {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const isManifest = (name) => basename(name) === 'kernels.json'
  return names
    .filter(isManifest)
    .sort()
    .map((name) => join(folder, name))
}

/** The text of config.cuh, from the function that the JIT uses. */
async function configHeader({ name, members }) {
  const built = join(root, 'packages', 'jit', 'dist', 'config-header.js')
  const jit = await import(pathToFileURL(built).href)
  return jit.configHeader(name, members)
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

/** A few at a time, each worker taking the next one. */
async function compileAll(nvcc, folder, kernels) {
  const problems = []
  const waiting = [...kernels]
  const worker = async () => {
    for (let kernel = waiting.shift(); kernel; kernel = waiting.shift()) {
      problems.push(...(await compile(nvcc, folder, kernel)))
    }
  }
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, worker))
  return problems
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
  const kernels = manifestsIn(folder).flatMap((path) => JSON.parse(readFileSync(path, 'utf8')))
  return { problems: await compileAll(nvcc, folder, kernels), note: `${kernels.length} kernels` }
}
