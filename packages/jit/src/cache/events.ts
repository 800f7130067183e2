/** What a cache tells its owner. None of these stops a kernel from being returned. */
export type CacheEvent =
  | { readonly type: 'hit'; readonly key: string; readonly root: string }
  | { readonly type: 'compiled'; readonly key: string; readonly milliseconds: number }
  /** Another thread or process is compiling this key; this one waits for its result. */
  | { readonly type: 'waiting'; readonly key: string }
  /** An entry is damaged or not to be trusted. It is compiled anew. */
  | {
      readonly type: 'entry-rejected'
      readonly key: string
      readonly root: string
      readonly reason: string
    }
  /** A root is not used at all. */
  | { readonly type: 'root-refused'; readonly root: string; readonly reason: string }
  /** Results cannot be kept; said once per cache. */
  | { readonly type: 'unwritable'; readonly root: string; readonly reason: string }
  | {
      readonly type: 'evicted'
      readonly key: string
      readonly root: string
      readonly bytes: number
    }

export type CacheListener = (event: CacheEvent) => void

/** For a cache without a listener: what a person should know goes to Node's warnings. */
export const warnAboutTrouble: CacheListener = (event) => {
  const sentence = troubleSentence(event)
  if (sentence !== undefined) process.emitWarning(sentence, { code: 'DEEPGEMM_CACHE' })
}

function troubleSentence(event: CacheEvent): string | undefined {
  switch (event.type) {
    case 'entry-rejected':
      return `kernel cache: entry ${event.key.slice(0, 12)} in ${event.root} is compiled anew: ${event.reason}`
    case 'root-refused':
      return `kernel cache: ${event.root} is not used: ${event.reason}`
    case 'unwritable':
      return `kernel cache: compiled kernels are not kept in ${event.root}: ${event.reason}`
    default:
      return undefined
  }
}
