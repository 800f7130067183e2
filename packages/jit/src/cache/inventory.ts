import type { CacheFs } from './cache-fs.js'
import { entryPaths, fileMeaning } from './layout.js'
import { isMissing } from './trust.js'

/** What an entry weighs and when it was last used. */
export type Occupant = {
  readonly key: string
  readonly bytes: number
  readonly lastUsed: Date
}

/** Every key of which a folder holds a manifest or a cubin, with its weight. */
export async function takeInventory(fs: CacheFs, folder: string): Promise<readonly Occupant[]> {
  const keys = new Set<string>()
  for (const name of await namesIn(fs, folder)) {
    const meaning = fileMeaning(name)
    if (meaning.kind === 'manifest' || meaning.kind === 'cubin') keys.add(meaning.key)
  }
  const occupants: Occupant[] = []
  for (const key of [...keys].sort()) {
    const occupant = await weigh(fs, folder, key)
    if (occupant !== undefined) occupants.push(occupant)
  }
  return occupants
}

/** The file names in a folder; none when it does not exist. */
export async function namesIn(fs: CacheFs, folder: string): Promise<readonly string[]> {
  try {
    return await fs.readdir(folder)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

/** The time of last use is the manifest's; a cubin left alone by a crash counts from its own. */
async function weigh(fs: CacheFs, folder: string, key: string): Promise<Occupant | undefined> {
  const paths = entryPaths(folder, key)
  const manifest = await sizeAndTime(fs, paths.manifest)
  const cubin = await sizeAndTime(fs, paths.cubin)
  const lastUsed = manifest?.time ?? cubin?.time
  if (lastUsed === undefined) return undefined
  return { key, bytes: (manifest?.size ?? 0) + (cubin?.size ?? 0), lastUsed }
}

async function sizeAndTime(
  fs: CacheFs,
  path: string,
): Promise<{ size: number; time: Date } | undefined> {
  try {
    const { size, mtime } = await fs.lstat(path)
    return { size, time: mtime }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
