import { sameNumbers, slotOf } from './signature.js'

const SETS = 16
/** Entries of one set: keys that fall together do not push one another out. */
const WAYS = 8

/** Up to 128 values by keys of numbers; of a full set the one that was not used longest goes. */
export class Memo<T extends { readonly key: Float64Array }> {
  readonly #sets: T[][] = Array.from({ length: SETS }, () => [])
  /** What was found last: mostly it is wanted again, and hashing takes longer than comparing. */
  #last: T | undefined

  find(key: Float64Array): T | undefined {
    const last = this.#last
    if (last !== undefined && sameNumbers(last.key, key)) return last
    this.#last = this.#search(key)
    return this.#last
  }

  #search(key: Float64Array): T | undefined {
    const set = this.#sets[slotOf(key, SETS)] as T[]
    for (let i = 0; i < set.length; i++) {
      const entry = set[i] as T
      if (!sameNumbers(entry.key, key)) continue
      if (i > 0) moveToFront(set, i)
      return entry
    }
    return undefined
  }

  store(entry: T): void {
    const set = this.#sets[slotOf(entry.key, SETS)] as T[]
    this.#last = entry
    const known = set.findIndex(({ key }) => sameNumbers(key, entry.key))
    if (known >= 0) set.splice(known, 1)
    else if (set.length === WAYS) set.pop()
    set.unshift(entry)
  }
}

function moveToFront<T>(list: T[], from: number): void {
  const entry = list[from] as T
  for (let i = from; i > 0; i--) list[i] = list[i - 1] as T
  list[0] = entry
}
