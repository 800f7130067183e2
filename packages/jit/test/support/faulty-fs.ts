import systemFs, { type FileHandle } from 'node:fs/promises'
import type { CacheFs } from '@deepgemm/jit'

/** A system call as the cache sees it: `write`, `sync` and `stat` are those of an open file. */
export type Call = keyof CacheFs | 'write' | 'sync' | 'stat'

export type Fault = (call: Call, path: string) => Error | undefined

/** The real file system, except that `fault` may make any call fail. */
export function faultyFs(fault: Fault): CacheFs {
  const guard = (call: Call, path: string): void => {
    const error = fault(call, path)
    if (error !== undefined) throw error
  }
  const names = [
    'lstat',
    'mkdir',
    'open',
    'readdir',
    'realpath',
    'rename',
    'unlink',
    'utimes',
  ] as const
  const calls = names.map((name) => [
    name,
    async (...args: unknown[]): Promise<unknown> => {
      guard(name, String(args[0]))
      const result = await Reflect.apply(systemFs[name], undefined, args)
      return name === 'open' ? faultyFile(result as FileHandle, String(args[0]), guard) : result
    },
  ])
  return Object.fromEntries(calls) as CacheFs
}

function faultyFile(
  file: FileHandle,
  path: string,
  guard: (call: Call, path: string) => void,
): FileHandle {
  const { writeFile, sync, stat } = file
  return Object.assign(file, {
    writeFile: async (...args: Parameters<FileHandle['writeFile']>) => {
      guard('write', path)
      return writeFile.apply(file, args)
    },
    sync: async () => {
      guard('sync', path)
      return sync.apply(file)
    },
    stat: async () => {
      guard('stat', path)
      return stat.apply(file)
    },
  })
}

/** A system error as Node throws it. */
export function systemError(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code })
}
