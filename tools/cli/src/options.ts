import { OptionError } from 'deepgemm'

/** Values as the argument parser gives them: strings, numbers, true, or lists when repeated. */
export type RawOptions = Readonly<Record<string, unknown>>

/** @throws {OptionError} unless the option is a whole number in the range. */
export function wholeNumber(
  options: RawOptions,
  name: string,
  { fallback, min = 0, max = 2 ** 31 }: { fallback?: number; min?: number; max?: number },
): number {
  const value = options[name] ?? fallback
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) {
    return value
  }
  throw badOption(name, value, `a whole number from ${min} to ${max}`)
}

/** @throws {OptionError} unless the option is a number in the range. */
export function number(
  options: RawOptions,
  name: string,
  { fallback, min, max }: { fallback: number; min: number; max: number },
): number {
  const value = options[name] ?? fallback
  if (typeof value === 'number' && value >= min && value <= max) return value
  throw badOption(name, value, `a number from ${min} to ${max}`)
}

/** @throws {OptionError} unless the option is one of `allowed`. */
export function choice<T extends string>(
  options: RawOptions,
  name: string,
  allowed: readonly T[],
  fallback: T,
): T {
  const value = options[name] ?? fallback
  if ((allowed as readonly unknown[]).includes(value)) return value as T
  throw badOption(name, value, allowed.join(', '))
}

/** @throws {OptionError} when the option is missing or given twice. */
export function text(options: RawOptions, name: string, fallback?: string): string {
  const value = options[name] ?? fallback
  if (typeof value === 'string' && value !== '') return value
  // The parser turns "7" into 7; a folder or a prompt may well be called so.
  if (typeof value === 'number') return String(value)
  throw badOption(name, value, 'a text')
}

/** Different names, separated by commas. @throws {OptionError} unless all are among `allowed`. */
export function nameList<T extends string>(
  options: RawOptions,
  name: string,
  allowed: readonly T[],
  fallback: readonly T[],
): readonly T[] {
  if (options[name] === undefined) return fallback
  const given = [...new Set(text(options, name).split(','))]
  const unknown = given.find((item) => !(allowed as readonly string[]).includes(item))
  if (unknown === undefined) return given as T[]
  throw badOption(name, unknown, `${allowed.join(', ')}, or several with commas between`)
}

/** Every value of an option that may be repeated. */
export function texts(options: RawOptions, name: string): string[] {
  const value = options[name]
  if (value === undefined) return []
  return (Array.isArray(value) ? value : [value]).map(String)
}

function badOption(name: string, value: unknown, allowed: string): OptionError {
  const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
  if (value === undefined) {
    return new OptionError(`The option ${flag} is missing`, { allowed })
  }
  return new OptionError(`The option ${flag} has a wrong value`, {
    given: Array.isArray(value) ? `${value.length} values` : String(value),
    allowed,
  })
}
