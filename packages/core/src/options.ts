import { OptionError } from './errors.js'

/**
 * Refuses misspelled options.
 *
 * @throws {OptionError} when `options` is no object or has a key that is not in `known`.
 */
export function requireKnownOptions(
  subject: string,
  options: object,
  known: readonly string[],
): void {
  // TypeScript promises an object; JavaScript callers need not keep that.
  if (typeof options !== 'object' || options === null) {
    throw new OptionError(`${subject} needs an object`, {
      given: options === null ? 'null' : typeof options,
      allowed: `an object with ${known.join(', ')}`,
    })
  }
  const unknown = Object.keys(options).find((key) => !known.includes(key))
  if (unknown === undefined) return
  throw new OptionError(`${subject} got an unknown option`, {
    given: unknown,
    allowed: known.join(', '),
  })
}

/** @throws {OptionError} unless `value` is an integer from `min` to `max`. */
export function requireInteger(
  subject: string,
  value: unknown,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) {
    return value as number
  }
  throw new OptionError(`${subject} is out of range`, {
    given: String(value),
    allowed: `an integer from ${min} to ${max}`,
  })
}

/** @throws {OptionError} unless `value` is one of `allowed`. */
export function requireOneOf<T extends string>(
  subject: string,
  value: unknown,
  allowed: readonly T[],
): T {
  if ((allowed as readonly unknown[]).includes(value)) return value as T
  throw new OptionError(`${subject} is not known`, {
    given: String(value),
    allowed: allowed.join(', '),
  })
}
