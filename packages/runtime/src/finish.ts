import type { Stream } from './stream.js'

/**
 * `result` once the work of `stream` has finished. When that work failed, what this call
 * allocated is freed and the failure is passed on.
 */
export async function finish<T>(
  stream: Stream,
  result: T,
  ...allocated: readonly { dispose(): void }[]
): Promise<T> {
  try {
    await stream.synchronize()
    return result
  } catch (error) {
    for (const item of allocated) item.dispose()
    throw error
  }
}
