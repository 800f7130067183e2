import { join } from 'node:path'
import { describeError } from '../errno.js'
import type { CacheFs } from './cache-fs.js'
import { formatFolder } from './layout.js'
import { makeFolder } from './make-folder.js'
import { folderProblem, isMissing, ownUser, ownUserOrRoot, type TrustedOwners } from './trust.js'

/** A folder that holds entries, checked when the cache was opened. */
export type CacheRoot = {
  readonly path: string
  readonly writable: boolean
  /** Why it is not used; undefined when it is. */
  readonly problem: string | undefined
}

/** A root in use, with what reading from it needs. */
export type UsableRoot = {
  readonly path: string
  /** Where its entries lie. */
  readonly folder: string
  readonly writable: boolean
  readonly owners: TrustedOwners
}

export type OpenedRoot = { readonly root: CacheRoot; readonly usable: UsableRoot | undefined }

/** Checks a root, creating the writable one if need be. Never throws: a bad root has a `problem`. */
export async function openRoot(fs: CacheFs, path: string, writable: boolean): Promise<OpenedRoot> {
  const owners = writable ? ownUser() : ownUserOrRoot()
  try {
    if (writable) await makeFolder(fs, path)
    const real = await fs.realpath(path)
    const folder = join(real, formatFolder)
    const problem = await rootProblem(fs, real, folder, writable, owners)
    const root = { path, writable, problem }
    return { root, usable: problem === undefined ? { path, folder, writable, owners } : undefined }
  } catch (error) {
    const problem = isMissing(error) ? 'it does not exist' : describeError(error)
    return { root: { path, writable, problem }, usable: undefined }
  }
}

async function rootProblem(
  fs: CacheFs,
  real: string,
  folder: string,
  writable: boolean,
  owners: TrustedOwners,
): Promise<string | undefined> {
  const problem = await folderProblem(fs, real, owners)
  if (problem !== undefined) return problem
  if (writable) await makeFolder(fs, folder)
  try {
    return await folderProblem(fs, folder, owners)
  } catch (error) {
    // A read-only root without entries of this format is merely empty.
    if (!writable && isMissing(error)) return undefined
    throw error
  }
}
