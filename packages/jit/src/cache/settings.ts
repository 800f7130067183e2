import { homedir } from 'node:os'
import { delimiter, isAbsolute, join } from 'node:path'
import { OptionError } from '@deepgemm/core'

/** Where entries are looked for, in order, and where new ones go. */
export type CacheRoots = {
  /** Searched first, never written. */
  readonly readOnly?: readonly string[]
  /** Searched last; new entries go here. `false`: keep nothing. */
  readonly writable?: string | false
}

/** Size bound of the writable root when nothing else is said: 512 MiB. */
export const defaultMaxBytes: number = 512 * 2 ** 20

/**
 * The roots to use. What is not given comes from the environment: DEEPGEMM_CACHE_READONLY (a list
 * as in PATH), DEEPGEMM_CACHE_DIR, else `deepgemm` in XDG_CACHE_HOME, else in ~/.cache.
 */
export function resolveRoots(given: CacheRoots, env: NodeJS.ProcessEnv): Required<CacheRoots> {
  const readOnly = given.readOnly ?? listOf(env['DEEPGEMM_CACHE_READONLY'])
  const writable = given.writable ?? defaultRoot(env)
  for (const path of writable === false ? readOnly : [...readOnly, writable]) requireAbsolute(path)
  return { readOnly, writable }
}

/** The size bound: DEEPGEMM_CACHE_MAX_BYTES or the default. */
export function maxBytesFrom(env: NodeJS.ProcessEnv): number {
  const text = env['DEEPGEMM_CACHE_MAX_BYTES']
  if (text === undefined || text === '') return defaultMaxBytes
  const bytes = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(bytes)) return bytes
  throw new OptionError('DEEPGEMM_CACHE_MAX_BYTES is not a number of bytes', {
    given: JSON.stringify(text.slice(0, 40)),
    allowed: 'decimal digits, such as 536870912',
    remedy: 'Correct or unset it.',
  })
}

function defaultRoot(env: NodeJS.ProcessEnv): string {
  const explicit = env['DEEPGEMM_CACHE_DIR']
  if (explicit !== undefined && explicit !== '') return explicit
  const xdg = env['XDG_CACHE_HOME']
  // The XDG specification says that a relative value is to be ignored.
  if (xdg !== undefined && isAbsolute(xdg)) return join(xdg, 'deepgemm')
  const home = env['HOME']
  return join(home !== undefined && isAbsolute(home) ? home : homedir(), '.cache', 'deepgemm')
}

function listOf(text: string | undefined): readonly string[] {
  return (text ?? '').split(delimiter).filter((path) => path !== '')
}

function requireAbsolute(path: string): void {
  if (isAbsolute(path)) return
  throw new OptionError('the path of a kernel cache is not absolute', {
    given: JSON.stringify(path),
    allowed: 'an absolute path',
    remedy: 'Write the full path: the working directory is no part of where kernels come from.',
  })
}
