import { CompileError } from '@deepgemm/core'
import type { CompileRequest } from './compiler.js'

const target = /^sm_[1-9][0-9]{1,2}[af]?$/
// Neither a path nor a second argument fits: a flag that names a file would make the key depend on it.
const flag = /^--?[A-Za-z][\w-]*(?:=[\w.,+-]+)?$/
const maxFlags = 64
const maxSourceBytes = 16 * 2 ** 20

/** Throws a CompileError unless the request can be handed to a compiler as it is. */
export function checkRequest({ source, target: given, flags, entryName }: CompileRequest): void {
  if (!target.test(given)) {
    throw new CompileError(`kernel ${entryName} has an unknown target`, {
      given: JSON.stringify(given.slice(0, 40)),
      allowed: 'an architecture such as sm_90a',
      remedy: 'Pass the architecture of the device.',
    })
  }
  if (flags.length > maxFlags) {
    throw new CompileError(`kernel ${entryName} has too many compiler flags`, {
      given: String(flags.length),
      allowed: `at most ${maxFlags}`,
      remedy: 'Put compile-time choices into the config.',
    })
  }
  for (const item of flags) checkFlag(entryName, item)
  const bytes = Buffer.byteLength(source)
  if (bytes > maxSourceBytes) {
    throw new CompileError(`kernel ${entryName} has too long a source`, {
      given: `${bytes} bytes`,
      allowed: `at most ${maxSourceBytes} bytes`,
      remedy: 'Check what was assembled.',
    })
  }
}

function checkFlag(entryName: string, item: string): void {
  if (item.length <= 200 && flag.test(item)) return
  throw new CompileError(`kernel ${entryName} has a compiler flag that is not allowed`, {
    given: JSON.stringify(item.slice(0, 200)),
    allowed: 'one argument such as -O3 or -maxrregcount=168, without white space or slashes',
    remedy: 'Write it as one argument; flags that name files or folders are not possible.',
  })
}
