// The self-test on a GPU that is not the first: a process opens only the first one that it sees, so
// another process sees that one alone.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Finding, failure } from './finding.js'

/** Compiled, also where this file is read as a source. */
const PROGRAM = fileURLToPath(new URL('../../dist/doctor/self-test-process.js', import.meta.url))

/** Two seconds of products, and the kernels for them before. */
const TIMEOUT_MS = 120_000

/** `ordinal` counts the GPUs that this process sees. */
export async function selfTestGpu(ordinal: number): Promise<Finding> {
  const name = `Self-test cuda, GPU ${ordinal}`
  try {
    const env = { ...process.env, CUDA_VISIBLE_DEVICES: visibleDevice(process.env, ordinal) }
    const options = { env, timeout: TIMEOUT_MS }
    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM], options)
    return { ...(JSON.parse(stdout) as Finding), name }
  } catch (error) {
    return failure(name, error)
  }
}

/** Pure: the name of a GPU for CUDA, which may have been shown only some of them. */
export function visibleDevice(env: NodeJS.ProcessEnv, ordinal: number): string {
  const shown = env['CUDA_VISIBLE_DEVICES']?.split(',') ?? []
  return shown[ordinal]?.trim() || String(ordinal)
}
