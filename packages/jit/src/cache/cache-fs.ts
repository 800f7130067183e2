import * as nodeFs from 'node:fs/promises'

/**
 * The part of the file system that the cache uses. One seam, so that a test can make any call fail
 * as a full or broken disk does.
 */
export type CacheFs = Pick<
  typeof nodeFs,
  'lstat' | 'mkdir' | 'open' | 'readdir' | 'realpath' | 'rename' | 'unlink' | 'utimes'
>

export const systemFs: CacheFs = nodeFs
