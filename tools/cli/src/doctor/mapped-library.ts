import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'

/** Path of a library that this process has loaded, by its file name; undefined when unknown. */
export async function mappedLibrary(name: RegExp): Promise<string | undefined> {
  // Only Linux lists what is mapped, and only where /proc is mounted.
  const maps = await readFile('/proc/self/maps', 'utf8').catch(() => '')
  for (const line of maps.split('\n')) {
    const path = /\s(\/.*)$/.exec(line)?.[1]
    if (path !== undefined && name.test(basename(path))) return path
  }
  return undefined
}
