import type { Stats } from 'node:fs'
import { dirname } from 'node:path'
import { errnoOf } from '../errno.js'
import type { CacheFs } from './cache-fs.js'

/** User ids whose files may be loaded; undefined on a platform without user ids. */
export type TrustedOwners = readonly number[] | undefined

const groupOrOtherWrite = 0o022
const otherWrite = 0o002
const sticky = 0o1000

/** The user this process acts as, whom a writable root must belong to. */
export function ownUser(): TrustedOwners {
  const uid = process.geteuid?.()
  return uid === undefined ? undefined : [uid]
}

/** Owners of a root that is only read: this user, and root, who can change anything anyway. */
export function ownUserOrRoot(): TrustedOwners {
  const own = ownUser()
  return own === undefined ? undefined : [...own, 0]
}

/** Why a file or folder with these attributes must not be believed; undefined when it may be. */
export function attributeProblem(stats: Stats, owners: TrustedOwners): string | undefined {
  if (owners === undefined) return undefined
  if (!owners.includes(stats.uid))
    return `it is owned by uid ${stats.uid}, not ${owners.join(' or ')}`
  if ((stats.mode & groupOrOtherWrite) === 0) return undefined
  return `its mode ${octal(stats.mode)} lets other users write to it`
}

/** Why a folder must not serve as a root; undefined when it may. `path` has no symbolic link in it. */
export async function folderProblem(
  fs: CacheFs,
  path: string,
  owners: TrustedOwners,
): Promise<string | undefined> {
  const stats = await fs.lstat(path)
  if (!stats.isDirectory()) return 'it is not a directory'
  const own = attributeProblem(stats, owners)
  if (own !== undefined) return `${own}; make it yours alone with chown and chmod 700`
  return owners === undefined ? undefined : ancestorProblem(fs, dirname(path))
}

/** Whoever may rename a folder above the root may put another in its place. */
async function ancestorProblem(fs: CacheFs, start: string): Promise<string | undefined> {
  for (let path = start; ; path = dirname(path)) {
    const { mode } = await fs.lstat(path)
    if ((mode & otherWrite) !== 0 && (mode & sticky) === 0) {
      return `${path} above it has mode ${octal(mode)}, so any user could replace it; choose another place`
    }
    if (path === dirname(path)) return undefined
  }
}

/** A file that must not be believed, with the reason. Never leaves the cache. */
export class Untrusted extends Error {}

/** True for errors that only say that the file is not there. */
export function isMissing(error: unknown): boolean {
  return errnoOf(error) === 'ENOENT'
}

function octal(mode: number): string {
  return `0${(mode & 0o7777).toString(8)}`
}
