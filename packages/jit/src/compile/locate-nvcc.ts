import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import { describeError } from '../errno.js'

/** A place where a compiler was looked for, and what was found there. */
export type LookedAt = { readonly place: string; readonly finding: string }

export type NvccLocation = {
  /** Absolute path of the first usable nvcc; undefined when there is none. */
  readonly path: string | undefined
  readonly lookedAt: readonly LookedAt[]
}

type Candidate = {
  readonly place: string
  readonly path: string | undefined
  readonly final?: boolean
}

/**
 * Looks for nvcc: DEEPGEMM_NVCC, then CUDA_HOME/bin, then PATH, then /usr/local/cuda/bin. Relative
 * paths are never followed: the working directory of a server is not a trusted place.
 */
export async function locateNvcc(env: NodeJS.ProcessEnv): Promise<NvccLocation> {
  const lookedAt: LookedAt[] = []
  for (const { place, path, final } of candidates(env)) {
    const problem = path === undefined ? 'not set' : await executableProblem(path)
    if (problem === undefined) return { path, lookedAt: [...lookedAt, { place, finding: 'found' }] }
    lookedAt.push({ place, finding: problem })
    // An explicit choice that does not work is not papered over by another nvcc.
    if (final === true) break
  }
  return { path: undefined, lookedAt }
}

function candidates(env: NodeJS.ProcessEnv): readonly Candidate[] {
  const explicit = env['DEEPGEMM_NVCC']
  const home = env['CUDA_HOME']
  if (explicit !== undefined && explicit !== '') {
    return [{ place: `DEEPGEMM_NVCC=${explicit}`, path: explicit, final: true }]
  }
  const inPath = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  return [
    { place: 'DEEPGEMM_NVCC', path: undefined },
    home === undefined || home === ''
      ? { place: 'CUDA_HOME', path: undefined }
      : { place: `CUDA_HOME=${home}`, path: join(home, 'bin', 'nvcc') },
    ...inPath.map((folder) => ({ place: `PATH: ${folder}`, path: join(folder, 'nvcc') })),
    { place: '/usr/local/cuda/bin', path: '/usr/local/cuda/bin/nvcc' },
  ]
}

async function executableProblem(path: string): Promise<string | undefined> {
  if (!isAbsolute(path)) return 'not an absolute path, so not followed'
  try {
    if (!(await stat(path)).isFile()) return 'not a file'
    await access(path, constants.X_OK)
    return undefined
  } catch (error) {
    const reason = describeError(error)
    return reason.startsWith('ENOENT') ? 'no nvcc there' : reason
  }
}
