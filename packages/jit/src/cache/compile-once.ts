import { Backoff } from './backoff.js'
import type { CacheFs } from './cache-fs.js'
import { type HeldLock, tryLock } from './key-lock.js'
import { LockWatch } from './lock-watch.js'

/** Lets only so many compiles run at once; resolves with a function that gives the place back. */
export type Admission = () => Promise<() => void>

export type OnceSteps<T> = {
  /** The result if it is there by now. */
  readonly find: () => Promise<T | undefined>
  /** Makes the result; runs at most once. */
  readonly make: () => Promise<T>
  readonly admit: Admission
  /** Called once, when somebody else turns out to be making it. */
  readonly onWait: () => void
}

/**
 * Finds a result or makes it, so that of all threads and processes that want it one makes it and the
 * others find it. A place among the running compiles is held only while compiling, never while
 * waiting for somebody else.
 */
export async function findOrMake<T>(
  fs: CacheFs,
  lock: { readonly path: string; readonly staleMs: number },
  steps: OnceSteps<T>,
): Promise<T> {
  const backoff = new Backoff()
  const watch = new LockWatch(fs, lock.path, lock.staleMs)
  let others: 'held' | 'gone' | 'stuck' = 'gone'
  for (let said = false; ; ) {
    const found = await steps.find()
    if (found !== undefined) return found
    if (others !== 'held') {
      const leave = await steps.admit()
      try {
        const taken = others === 'stuck' ? 'unavailable' : await tryLock(fs, lock.path)
        if (taken !== 'busy') return await findOrMakeLocked(taken, steps)
      } finally {
        leave()
      }
    }
    if (!said) steps.onWait()
    said = true
    others = await watch.clearIfStale()
    if (others === 'held') await backoff.pause()
  }
}

async function findOrMakeLocked<T>(
  lock: HeldLock | 'unavailable',
  { find, make }: OnceSteps<T>,
): Promise<T> {
  try {
    // It may have been published between our look and our lock.
    return (await find()) ?? (await make())
  } finally {
    if (lock !== 'unavailable') await lock.release()
  }
}
