import type { Ledger } from './ledger.js'

type Entry = {
  readonly ledger: Ledger
  readonly id: number
  readonly label: string
  readonly bytes: number
}

let warned = false

const registry = new FinalizationRegistry<Entry>(({ ledger, id, label, bytes }) => {
  ledger.remove(id)
  if (warned) return
  warned = true
  process.emitWarning(
    `Buffer "${label}" (${bytes} bytes) was garbage-collected without dispose(). ` +
      'Memory is freed sooner and more predictably with `using` or dispose(). This is said once.',
    { code: 'DEEPGEMM_UNDISPOSED', type: 'DeepGemmWarning' },
  )
})

/** Watches a buffer: if it is collected undisposed, its entry is removed and a warning is given once. */
export function watchForLeak(owner: object, entry: Entry): void {
  registry.register(owner, entry, owner)
}

/** Ends the watch of a buffer that was disposed. */
export function unwatch(owner: object): void {
  registry.unregister(owner)
}
