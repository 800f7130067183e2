import { availableParallelism, cpus, totalmem } from 'node:os'
import { addonInfo } from '@deepgemm/runtime/diagnose'
import { formatBytes } from '../output/format.js'
import { type Finding, failure, note, ok, problem } from './finding.js'

/** Variables that the library reads. */
const VARIABLES: readonly string[] = [
  'DEEPGEMM_CACHE_DIR',
  'DEEPGEMM_CACHE_MAX_BYTES',
  'DEEPGEMM_CACHE_READONLY',
  'DEEPGEMM_COMPILER',
  'DEEPGEMM_CUDA_LIBRARY',
  'DEEPGEMM_DEVICE',
  'DEEPGEMM_ISA',
  'DEEPGEMM_NATIVE',
  'DEEPGEMM_NVCC',
  'DEEPGEMM_NVRTC_LIBRARY',
  'DEEPGEMM_PREBUILT',
  'DEEPGEMM_THREADS',
]

/** Node, the operating system, the processor's memory. */
export function nodeFinding(): Finding {
  const { node, napi } = process.versions
  const detail = `${node}, Node-API ${napi}, ${process.platform}-${process.arch}`
  const facts = { node, napi: Number(napi), platform: process.platform, arch: process.arch }
  if (Number(napi) >= 9) return ok('Node.js', detail, facts)
  return problem('Node.js', `${detail}: too old`, 'Install Node.js 20.19 or newer.')
}

/** The addon and the instruction sets that it and the processor can run. */
export function addonFindings(): Finding[] {
  try {
    const { path, isas, defaultIsa, defaultThreads } = addonInfo()
    const model = cpus()[0]?.model.trim() || process.arch
    const memory = totalmem()
    return [
      ok('Native addon', path, { path }),
      ok(
        'CPU',
        `${model}, ${availableParallelism()} processors, ${formatBytes(memory)} of memory; ` +
          `instruction sets ${isas.join(', ')}; ${defaultIsa} on ${defaultThreads} threads is used`,
        { model, memoryBytes: memory, isas, defaultIsa, defaultThreads },
      ),
    ]
  } catch (error) {
    return [failure('Native addon', error)]
  }
}

/** Which variables are set, and those that nothing reads: a misspelt name is silent otherwise. */
export function environmentFindings(env: NodeJS.ProcessEnv): Finding[] {
  const names = Object.keys(env).filter((name) => name.startsWith('DEEPGEMM_'))
  const known = names.filter((name) => VARIABLES.includes(name)).sort()
  const unknown = names.filter((name) => !VARIABLES.includes(name)).sort()
  const findings: Finding[] = []
  if (known.length > 0) {
    findings.push(note('Environment', known.map((name) => `${name}=${env[name]}`).join(' ')))
  }
  if (unknown.length > 0) {
    const remedy = `The library reads ${VARIABLES.join(', ')}.`
    findings.push(note('Environment', `nothing reads ${unknown.join(', ')}`, remedy))
  }
  return findings
}
