import { join } from 'node:path'

/** Folder inside a root for this format; another format would live beside it. */
export const formatFolder = 'v1'

/** The files of one key. The manifest is written last and removed first: without it there is no entry. */
export type EntryPaths = {
  readonly manifest: string
  readonly cubin: string
  readonly lock: string
}

export function entryPaths(folder: string, key: string): EntryPaths {
  const base = join(folder, key)
  return { manifest: `${base}.json`, cubin: `${base}.cubin`, lock: `${base}.lock` }
}

/** What a file name in a root means. */
export type FileMeaning =
  | { readonly kind: 'manifest' | 'cubin' | 'lock' | 'takeover'; readonly key: string }
  | { readonly kind: 'temporary'; readonly host: string; readonly pid: number }
  | { readonly kind: 'foreign' }

const entryName = /^([0-9a-f]{64})\.(json|cubin|lock|lock\.takeover)$/
const temporaryName = /^tmp-([0-9a-f]{8})-(\d{1,10})-[0-9a-f]{16}$/

export function fileMeaning(name: string): FileMeaning {
  const entry = entryName.exec(name)
  if (entry !== null) {
    const kinds = {
      json: 'manifest',
      cubin: 'cubin',
      lock: 'lock',
      'lock.takeover': 'takeover',
    } as const
    return { kind: kinds[entry[2] as keyof typeof kinds], key: entry[1] ?? '' }
  }
  const temporary = temporaryName.exec(name)
  if (temporary === null) return { kind: 'foreign' }
  return { kind: 'temporary', host: temporary[1] ?? '', pid: Number(temporary[2]) }
}

export function temporaryFileName(host: string, pid: number, nonce: string): string {
  return `tmp-${host}-${pid}-${nonce}`
}
