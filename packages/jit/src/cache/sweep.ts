import { join } from 'node:path'
import type { CacheFs } from './cache-fs.js'
import { namesIn } from './inventory.js'
import { fileMeaning } from './layout.js'
import { removeDeadLock } from './lock-watch.js'
import { currentProcess, hasEnded } from './process-identity.js'
import { removeIfPresent } from './write-durable.js'

/** No write takes this long; a temporary file of another host this old was left by a crash. */
const temporaryLifetimeMs = 3_600_000

/** Removes what crashed processes left: temporary files and locks. Failures are left for next time. */
export async function sweep(fs: CacheFs, folder: string): Promise<void> {
  for (const name of await namesIn(fs, folder).catch(() => [])) {
    const path = join(folder, name)
    const meaning = fileMeaning(name)
    if (meaning.kind === 'lock') await removeDeadLock(fs, path)
    if (meaning.kind === 'temporary' && (await isAbandoned(fs, path, meaning))) {
      await removeIfPresent(fs, path)
    }
  }
}

async function isAbandoned(
  fs: CacheFs,
  path: string,
  { host, pid }: { readonly host: string; readonly pid: number },
): Promise<boolean> {
  if (host === currentProcess().host) return hasEnded({ host, pid, started: '' })
  try {
    const { mtimeMs } = await fs.lstat(path)
    return Math.abs(Date.now() - mtimeMs) > temporaryLifetimeMs
  } catch {
    return false
  }
}
