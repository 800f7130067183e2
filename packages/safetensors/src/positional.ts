import type { FileHandle } from 'node:fs/promises'
import { refuse } from './errors.js'
import { MAX_IO_BYTES } from './limits.js'
import { quote } from './text.js'

/** Fills `into` from `position`, in as many calls as the system needs. */
export async function readFully(
  handle: FileHandle,
  into: Uint8Array,
  position: number,
  path: string,
): Promise<void> {
  let done = 0
  while (done < into.byteLength) {
    const length = Math.min(into.byteLength - done, MAX_IO_BYTES)
    const { bytesRead } = await handle.read(into, done, length, position + done)
    if (bytesRead === 0) {
      throw refuse(`${quote(path)} ends early`, {
        given: `no bytes at ${position + done}`,
        allowed: 'the length it had when it was opened',
        remedy: 'Something shortened the file while it was open: fetch or write it again.',
      })
    }
    done += bytesRead
  }
}

/** Writes all of `bytes` at `position`, in as many calls as the system needs. */
export async function writeFully(
  handle: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  let done = 0
  while (done < bytes.byteLength) {
    const length = Math.min(bytes.byteLength - done, MAX_IO_BYTES)
    const { bytesWritten } = await handle.write(bytes, done, length, position + done)
    // Never 0 for a regular file; without this a broken file system would spin here.
    if (bytesWritten === 0)
      throw Object.assign(new Error('no bytes were written'), { code: 'ENOSPC' })
    done += bytesWritten
  }
}
