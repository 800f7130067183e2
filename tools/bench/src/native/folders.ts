import { fileURLToPath } from 'node:url'

/** Where the C++ programs of this package lie. */
export const nativeSources: string = fileURLToPath(new URL('../../native/', import.meta.url))

/** Compiled programs and peers; git ignores it. */
export const cacheFolder: string = fileURLToPath(new URL('../../.cache/', import.meta.url))
