import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where the C++ programs of this package lie. */
export const nativeSources: string = fileURLToPath(new URL('../../native/', import.meta.url))

const repository = fileURLToPath(new URL('../../../../', import.meta.url))

/** The folder of the checkout that this package is part of; undefined where it is installed. */
export const checkout: string | undefined = existsSync(join(repository, 'pnpm-workspace.yaml'))
  ? repository
  : undefined

/** What this package keeps for its user: programs it compiled, and runs that were interrupted. */
export function userCache(env: NodeJS.ProcessEnv = process.env): string {
  const xdg = env['XDG_CACHE_HOME']
  // The XDG specification says that a relative value is to be ignored.
  const root = xdg !== undefined && isAbsolute(xdg) ? xdg : join(homedir(), '.cache')
  return join(root, 'deepgemm-bench')
}

/** Compiled programs and peers: in a checkout beside the sources, where git ignores it. */
export const cacheFolder: string =
  checkout === undefined ? userCache() : fileURLToPath(new URL('../../.cache/', import.meta.url))
