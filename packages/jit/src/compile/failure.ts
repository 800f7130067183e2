import { CompileError } from '@deepgemm/core'
import type { CompileRequest } from './compiler.js'

const quotedLines = 8
const maxLineLength = 300

/** The error for a source that a compiler refused; quotes its first errors and keeps the log as cause. */
export function compileFailure(
  compiler: string,
  { entryName, target }: Pick<CompileRequest, 'entryName' | 'target'>,
  log: string,
): CompileError {
  return new CompileError(`${compiler} could not compile kernel ${entryName} for ${target}`, {
    given: `\n${firstErrors(log)}\n`,
    remedy: 'The whole log is in `cause`. Compiled kernels are cached; a failure is not.',
    cause: new Error(log),
  })
}

/** The first error lines of a compiler's output, or its first lines when none says "error". */
function firstErrors(log: string): string {
  const lines = log
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
    .map((line) => line.slice(0, maxLineLength))
  const errors = lines.filter((line) => /\b(?:error|fatal)\b/i.test(line))
  const chosen = errors.length > 0 ? errors : lines
  if (chosen.length === 0) return '(the compiler printed nothing)'
  const rest = chosen.length - quotedLines
  return [...chosen.slice(0, quotedLines), ...(rest > 0 ? [`… and ${rest} more`] : [])].join('\n')
}
