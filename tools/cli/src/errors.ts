import { DeepGemmError } from 'deepgemm'

/** What ends a command: an error's sentence, or its stack when it was not foreseen. */
export function errorSentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const isForeseen = error instanceof DeepGemmError || error.name === 'CACError' || isSystem(error)
  if (!isForeseen) return `${error.name}: ${error.message}`
  // The library names its option; here it is a flag.
  return error.message.replaceAll('overwrite: true', '--overwrite')
}

/** Wrong usage ends with 2, everything else with 1. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof DeepGemmError) return error.code === 'ERR_OPTION' ? 2 : 1
  return error instanceof Error && error.name === 'CACError' ? 2 : 1
}

/** Errors of the operating system carry a call and a code. */
function isSystem(error: Error): boolean {
  return typeof (error as { syscall?: unknown }).syscall === 'string'
}
