import { isAbsolute } from 'node:path'
import { OptionError } from '@deepgemm/core'

type Environment = Readonly<Record<string, string | undefined>>

/** The driver library that the system provides. */
const SYSTEM_DRIVER = process.platform === 'win32' ? 'nvcuda.dll' : 'libcuda.so.1'

/**
 * A library that a variable names; undefined when it names none.
 *
 * @throws {OptionError} for a relative path: it would depend on the working directory.
 */
export function libraryOverride(variable: string, env: Environment): string | undefined {
  const path = env[variable]
  if (path === undefined || path === '') return undefined
  if (isAbsolute(path)) return path
  throw new OptionError(`${variable} is not an absolute path`, {
    given: path,
    allowed: 'the absolute path of a library',
    remedy: 'Correct the variable or unset it.',
  })
}

/** Where the CUDA driver is: `DEEPGEMM_CUDA_LIBRARY`, else the system's. */
export function driverLibrary(env: Environment = process.env): {
  readonly path: string
  readonly chosen: boolean
} {
  const override = libraryOverride('DEEPGEMM_CUDA_LIBRARY', env)
  return { path: override ?? SYSTEM_DRIVER, chosen: override !== undefined }
}
