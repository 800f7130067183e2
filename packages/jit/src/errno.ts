/** The `code` of a Node system error (`ENOENT`, `EACCES`, …), or undefined for any other value. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const code = (error as NodeJS.ErrnoException).code
  return typeof code === 'string' ? code : undefined
}

/** One short sentence for a system error, fit to stand inside a longer message. */
export function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
