// Pure: values of the command line.

import { type ParseArgsConfig, parseArgs } from 'node:util'
import { OptionError } from 'deepgemm'

/** Values and positionals. @throws {OptionError} for what is not among `options`. */
export function understood<const O extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: O,
): ReturnType<typeof parseArgs<{ args: string[]; allowPositionals: true; options: O }>> {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options })
  } catch (cause) {
    const given = (cause as Error).message.split(/\. |\n/)[0] as string
    throw new OptionError('The command line is not understood', {
      given,
      remedy: '--help explains the options.',
      cause,
    })
  }
}

/** The different values of a comma-separated list, in its order. */
export function list(text: string): string[] {
  return [...new Set(text.split(','))]
}

/** @throws {OptionError} unless the text is a whole number from 1 to `most`. */
export function wholeNumber(name: string, text: string, most: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= 1 && value <= most) return value
  throw new OptionError(`The option ${name} has a wrong value`, {
    given: text === '' ? 'nothing' : text,
    allowed: `a whole number from 1 to ${most}`,
  })
}

/** @throws {OptionError} for an empty text, as an unset variable of a shell gives. */
export function notEmpty(name: string, text: string | undefined, what: string): string | undefined {
  if (text !== '') return text
  throw new OptionError(`The option ${name} is empty`, { allowed: what })
}
