import { mkdir, readdir, stat, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { CheckpointError } from '@deepgemm/core'
import { ioError } from './errors.js'
import { INDEX_NAME, SHARD_NAME, SINGLE_NAME } from './shard-plan.js'
import { quote } from './text.js'

/** @returns whether the folder had to be made. */
export async function makeFolder(folder: string): Promise<boolean> {
  try {
    return await makeWithParents(resolve(folder))
  } catch (cause) {
    throw ioError(folder, 'make the folder', cause)
  }
}

/** Not mkdir's `recursive`: that never ends in a file system, such as /proc, that answers ENOENT. */
async function makeWithParents(folder: string): Promise<boolean> {
  try {
    return await makeOne(folder)
  } catch (cause) {
    if (!isCode(cause, 'ENOENT') || dirname(folder) === folder) throw cause
  }
  await makeWithParents(dirname(folder))
  // With the parent there, a second ENOENT is final.
  return makeOne(folder)
}

/** @returns false for a folder that is there already. */
async function makeOne(folder: string): Promise<boolean> {
  try {
    await mkdir(folder)
    return true
  } catch (cause) {
    if (isCode(cause, 'EEXIST') && (await stat(folder)).isDirectory()) return false
    throw cause
  }
}

function isCode(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException).code === code
}

/** @throws {CheckpointError} when the folder holds a checkpoint or a part of one. */
export async function requireNoCheckpoint(folder: string): Promise<void> {
  const [found] = await checkpointFiles(folder)
  if (found === undefined) return
  throw new CheckpointError(`will not replace the checkpoint in ${quote(folder)}`, {
    given: `a folder that has ${quote(found)}`,
    allowed: 'a folder without one, or the option overwrite: true',
    remedy: 'Choose another folder, or pass overwrite: true to replace it.',
  })
}

/** Removes what makes a folder read as a checkpoint, so that old and new shards are never mixed. */
export async function removeEntryPoints(folder: string): Promise<void> {
  await removeAll(folder, [INDEX_NAME, SINGLE_NAME])
}

/** Removes the shards of an earlier checkpoint that no index names any more. */
export async function removeStaleShards(folder: string, keep: readonly string[]): Promise<void> {
  const stale = (await checkpointFiles(folder)).filter(
    (name) => SHARD_NAME.test(name) && !keep.includes(name),
  )
  await removeAll(folder, stale)
}

async function checkpointFiles(folder: string): Promise<readonly string[]> {
  try {
    const names = await readdir(folder)
    return names.filter(
      (name) => name === SINGLE_NAME || name === INDEX_NAME || SHARD_NAME.test(name),
    )
  } catch (cause) {
    throw ioError(folder, 'list', cause)
  }
}

async function removeAll(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    try {
      await unlink(join(folder, name))
    } catch (cause) {
      if (!isCode(cause, 'ENOENT')) {
        throw ioError(join(folder, name), 'remove', cause)
      }
    }
  }
}
