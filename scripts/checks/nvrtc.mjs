// Every CUDA kernel compiles with NVRTC as the JIT does it, without local memory, where libnvrtc is there
// (DEEPGEMM_NVRTC_LIBRARY names one elsewhere). It differs from nvcc in what it can keep in registers.

import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { built, inTurn, listedKernels } from '../lib/cuda-kernels.mjs'
import { root } from '../lib/workspace.mjs'
import { spillsIn } from './cuda.mjs'

export const title = 'CUDA kernels compile without local memory (NVRTC)'

const TARGET = 'sm_90a'

async function openCompiler() {
  const [{ openNvrtc }, { NvrtcCompiler }] = await Promise.all([
    built('runtime', 'cuda/index.js'),
    built('jit'),
  ])
  return new NvrtcCompiler(openNvrtc())
}

/** @returns {Promise<string[]>} what is wrong with the kernel */
async function compile(compiler, jit, files, { name, source, config }) {
  const entryName = basename(source, '.cu')
  const sources = new Map(files)
  if (config) sources.set('config.cuh', jit.configHeader(config.name, config.members))
  const request = { source: jit.assembleSource(sources, source), entryName }
  try {
    const { cubin, log } = await compiler.compile({ ...request, target: TARGET, flags: [] })
    const resources = jit.kernelResources(cubin, entryName)
    const spills = spillsIn(log).map((line) => `${name}: ${line}`)
    if (resources === undefined)
      return [...spills, `${name}: the cubin does not tell its resources`]
    const { localBytes, registers } = resources
    if (localBytes === 0) return spills
    return [...spills, `${name}: ${localBytes} bytes of local memory beside ${registers} registers`]
  } catch (error) {
    return [`${name}: ${error.message}`]
  }
}

export async function check() {
  let compiler
  try {
    compiler = await openCompiler()
  } catch (error) {
    return { problems: [], skipped: `libnvrtc is not on this machine: ${error.message}` }
  }
  const jit = await built('jit')
  const folder = join(root, 'kernels', 'cuda')
  const files = await jit.readSourceTree(folder)
  const kernels = listedKernels(folder)
  const workers = Math.min(16, availableParallelism())
  const problems = await inTurn(kernels, workers, (kernel) => compile(compiler, jit, files, kernel))
  const { version } = await compiler.identity()
  return { problems, note: `${kernels.length} kernels, NVRTC ${version}` }
}
