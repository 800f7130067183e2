import { dirname } from 'node:path'
import { errnoOf } from '../errno.js'
import type { CacheFs } from './cache-fs.js'
import { isMissing } from './trust.js'

/**
 * Makes a folder and those above it that are missing, for this user alone. Node's own recursive
 * mkdir never returns where a file system answers ENOENT for a folder whose parent exists, as
 * `/proc` does.
 */
export async function makeFolder(fs: CacheFs, path: string): Promise<void> {
  const failure = await tryToMake(fs, path)
  if (failure === undefined) return
  const parent = dirname(path)
  if (!isMissing(failure) || parent === path) throw failure
  await makeFolder(fs, parent)
  const second = await tryToMake(fs, path)
  if (second !== undefined) throw second
}

/** Undefined when the folder is there; else why it is not. */
async function tryToMake(fs: CacheFs, path: string): Promise<unknown> {
  try {
    await fs.mkdir(path, { mode: 0o700 })
    return undefined
  } catch (error) {
    return errnoOf(error) === 'EEXIST' ? undefined : error
  }
}
