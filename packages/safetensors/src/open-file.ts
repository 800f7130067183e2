import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { ioError, refuse } from './errors.js'
import { readFully } from './positional.js'
import { decodeUtf8, quote } from './text.js'

export type OpenedFile = { readonly handle: FileHandle; readonly byteLength: number }

/** Opens a regular file for reading; a folder, pipe or device is refused instead of waited for. */
export async function openRegular(path: string): Promise<OpenedFile> {
  let handle: FileHandle | undefined
  try {
    // Without O_NONBLOCK, opening a pipe would wait for its writer.
    handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    const stats = await handle.stat()
    if (!stats.isFile()) {
      throw refuse(`cannot read ${quote(path)}`, {
        given: stats.isDirectory() ? 'a folder' : 'something that is not a regular file',
        allowed: 'a regular file',
        remedy: 'Give the path of a file.',
      })
    }
    return { handle, byteLength: stats.size }
  } catch (cause) {
    await handle?.close()
    throw ioError(path, 'open', cause)
  }
}

/** Reads a whole text file of at most `maxBytes`. */
export async function readText(path: string, maxBytes: number): Promise<string> {
  const { handle, byteLength } = await openRegular(path)
  try {
    if (byteLength > maxBytes) {
      throw refuse(`${quote(path)} is too long`, {
        given: `${byteLength} bytes`,
        allowed: `at most ${maxBytes} bytes`,
      })
    }
    const bytes = new Uint8Array(byteLength)
    await readFully(handle, bytes, 0, path)
    const text = decodeUtf8(bytes)
    if (text !== undefined) return text
    throw refuse(`${quote(path)} is not text`, {
      given: 'bytes that are not UTF-8',
      allowed: 'UTF-8',
    })
  } catch (cause) {
    throw ioError(path, 'read', cause)
  } finally {
    await handle.close()
  }
}
