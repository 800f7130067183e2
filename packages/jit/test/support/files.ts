import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { kernelKey } from '@deepgemm/jit'
import { specOf } from './kernels.js'

/** The two files of a kernel's entry in a root. */
export function entryFiles(root: string, number: number): { manifest: string; cubin: string } {
  const base = join(root, 'v1', kernelKey(specOf(number)))
  return { manifest: `${base}.json`, cubin: `${base}.cubin` }
}

/** Names of the files in a root that belong to no entry: locks and temporary files. */
export function leftovers(root: string): readonly string[] {
  return readdirSync(join(root, 'v1')).filter((name) => !/^[0-9a-f]{64}\.(json|cubin)$/.test(name))
}

export function bytesOf(path: string): Buffer {
  return readFileSync(path)
}
