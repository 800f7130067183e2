import { statfs } from 'node:fs/promises'
import { type CacheListing, type CacheRoot, KernelCache } from '@deepgemm/jit'
import { formatBytes } from '../output/format.js'
import { type Finding, failure, note, ok, problem } from './finding.js'

const REFUSED =
  'Set DEEPGEMM_CACHE_DIR to a directory that belongs to this user alone (chmod 700), or mend this one.'

/** Every root of the kernel cache: whether it can be used, what it holds, the room there is. */
export async function cacheFindings(): Promise<Finding[]> {
  try {
    const cache = await KernelCache.open({ onEvent: () => undefined })
    const entries = await cache.list()
    return await Promise.all(
      cache.roots.map((root) => rootFinding(root, entries, root.writable ? cache.maxBytes : 0)),
    )
  } catch (error) {
    return [failure('Kernel cache', error)]
  }
}

async function rootFinding(
  { path, writable, problem: trouble }: CacheRoot,
  all: readonly CacheListing[],
  maxBytes: number,
): Promise<Finding> {
  const name = writable ? 'Kernel cache' : 'Kernel cache (read only)'
  if (trouble !== undefined) return problem(name, `${path} is not used: ${trouble}`, REFUSED)
  const entries = all.filter(({ root }) => root === path)
  const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0)
  const bad = entries.filter((entry) => entry.problem !== undefined)
  const free = writable ? await freeBytes(path) : undefined
  const room = free === undefined ? '' : `, ${formatBytes(free)} free on its disk`
  const bound = writable ? ` of at most ${formatBytes(maxBytes)}` : ''
  const detail = `${path}: ${entries.length} kernels, ${formatBytes(bytes)}${bound}${room}`
  if (bad.length > 0) {
    const remedy =
      'They are compiled anew when wanted; deepgemm cache verify --remove removes them.'
    return note(name, `${detail}; ${bad.length} unusable: ${bad[0]?.problem}`, remedy)
  }
  if (writable && free !== undefined && free < LITTLE_ROOM) {
    const remedy = 'Make room, or set DEEPGEMM_CACHE_DIR to a directory on another disk.'
    return problem(name, `${detail}: the disk is full`, remedy)
  }
  return ok(name, detail, { path, writable, kernels: entries.length, bytes, freeBytes: free })
}

/** A model's kernels take a few megabytes. */
const LITTLE_ROOM = 16 * 2 ** 20

async function freeBytes(path: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(path)
    return bavail * bsize
  } catch {
    // Some file systems do not say.
    return undefined
  }
}
