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
      given: describeValue(options),
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

/** What a value of the wrong kind is, for messages: `undefined`, `null`, `string`, `Float32Array`. */
export function describeValue(value: unknown): string {
  if (value === null || typeof value !== 'object') return value === null ? 'null' : typeof value
  return value.constructor?.name ?? 'object'
}

/** @throws {OptionError} unless `value` is true or false. */
export function requireBoolean(subject: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw new OptionError(`${subject} is not a boolean`, {
    given: describeValue(value),
    allowed: 'true or false',
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
