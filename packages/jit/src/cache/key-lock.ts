import { errnoOf } from '../errno.js'
import type { CacheFs } from './cache-fs.js'
import { createLockFile, readLockFile } from './lock-file.js'
import { currentProcess, nonce } from './process-identity.js'
import { removeIfPresent } from './write-durable.js'

// The lock of a key saves work, it does not protect data: entries are published atomically, so two
// holders at worst compile the same kernel twice. That is why every doubtful case ends in
// "compile" and never in "wait for ever".

const heartbeatMs = 1000

/** A lock held by this thread. While held, a heartbeat changes the file's times every second. */
export type HeldLock = { readonly release: () => Promise<void> }

/**
 * Takes the lock of a key if nobody has it. 'busy': somebody has it. 'unavailable': this folder
 * cannot hold locks (read-only, full), so there is nothing to wait for.
 */
export async function tryLock(
  fs: CacheFs,
  path: string,
): Promise<HeldLock | 'busy' | 'unavailable'> {
  const content = JSON.stringify({ ...currentProcess(), nonce: nonce() })
  try {
    await createLockFile(fs, path, content)
  } catch (error) {
    return errnoOf(error) === 'EEXIST' ? 'busy' : 'unavailable'
  }
  const heartbeat = setInterval(() => {
    const now = new Date()
    // A lost lock is noticed on release; a failed beat at worst costs a second compile elsewhere.
    fs.utimes(path, now, now).catch(() => undefined)
  }, heartbeatMs)
  heartbeat.unref()
  return {
    release: async () => {
      clearInterval(heartbeat)
      const held = await readLockFile(fs, path)
      if (held?.content === content) await removeIfPresent(fs, path)
    },
  }
}
