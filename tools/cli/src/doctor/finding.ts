/** `note` is worth knowing and no fault: without a usable GPU the CPU computes. */
export type FindingState = 'ok' | 'note' | 'problem'

/** One thing that was looked at. */
export type Finding = {
  readonly name: string
  readonly state: FindingState
  readonly detail: string
  /** What to do; every problem has one. */
  readonly remedy?: string
  /** The same for programs. */
  readonly facts?: Readonly<Record<string, unknown>>
}

export type Problem = Finding & { readonly state: 'problem'; readonly remedy: string }

export function ok(name: string, detail: string, facts?: Finding['facts']): Finding {
  return { name, state: 'ok', detail, ...(facts === undefined ? {} : { facts }) }
}

export function note(name: string, detail: string, remedy?: string): Finding {
  return { name, state: 'note', detail, ...(remedy === undefined ? {} : { remedy }) }
}

export function problem(name: string, detail: string, remedy: string): Problem {
  return { name, state: 'problem', detail, remedy }
}

/** A problem in the words of the library's error. */
export function failure(name: string, error: unknown): Problem {
  const { message, remedy } = error as { message?: string; remedy?: string }
  const sentence = typeof message === 'string' ? message : String(error)
  const hasOwn = remedy !== undefined && sentence.endsWith(remedy)
  const detail = hasOwn ? sentence.slice(0, -remedy.length).replace(/\. $/, '') : sentence
  return problem(name, detail, remedy ?? 'Run with --debug and report the output.')
}
