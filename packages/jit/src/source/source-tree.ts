import { readdir, readFile, stat } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { CompileError } from '@deepgemm/core'
import { describeError } from '../errno.js'
import type { SourceFiles } from './assemble.js'

const extensions = ['.cu', '.cuh', '.h']
const maxFiles = 1024
const maxFileBytes = 4 * 2 ** 20

/**
 * Reads the kernel sources under a folder: `.cu`, `.cuh` and `.h` files, by relative path in sorted
 * order. Symbolic links are left out, so that no file from elsewhere becomes part of a kernel.
 */
export async function readSourceTree(root: string): Promise<SourceFiles> {
  const paths: string[] = []
  await collect(root, '', paths)
  const files = new Map<string, string>()
  for (const path of paths.sort()) files.set(path, await readSource(join(root, path)))
  return files
}

async function collect(root: string, under: string, paths: string[]): Promise<void> {
  for (const item of await listFolder(join(root, under))) {
    const path = posix.join(under, item.name)
    if (item.isDirectory()) await collect(root, path, paths)
    else if (item.isFile() && extensions.some((end) => item.name.endsWith(end))) paths.push(path)
    if (paths.length > maxFiles) throw tooMany(root)
  }
}

async function listFolder(path: string): ReturnType<typeof readEntries> {
  try {
    return await readEntries(path)
  } catch (cause) {
    throw new CompileError('the kernel sources cannot be listed', {
      given: `${path} (${describeError(cause)})`,
      remedy: 'Pass the folder that holds the kernel sources.',
      cause,
    })
  }
}

function readEntries(path: string): Promise<import('node:fs').Dirent[]> {
  return readdir(path, { withFileTypes: true })
}

async function readSource(path: string): Promise<string> {
  const { size } = await stat(path)
  if (size > maxFileBytes) {
    throw new CompileError(`the kernel source ${path} is too large`, {
      given: `${size} bytes`,
      allowed: `at most ${maxFileBytes} bytes`,
      remedy: 'Split it, or check that it is a source at all.',
    })
  }
  return readFile(path, 'utf8')
}

function tooMany(root: string): CompileError {
  return new CompileError(`there are too many kernel sources under ${root}`, {
    allowed: `at most ${maxFiles} files`,
    remedy: 'Pass the folder that holds the kernel sources and nothing else.',
  })
}
