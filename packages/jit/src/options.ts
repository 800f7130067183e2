import { OptionError } from '@deepgemm/core'

/** Refuses an option that does not exist: a misspelled one would otherwise be ignored in silence. */
export function refuseUnknownOptions(
  subject: string,
  options: object,
  known: readonly string[],
): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    throw new OptionError(`${subject} does not know the option ${JSON.stringify(name)}`, {
      allowed: known.join(', '),
      remedy: 'Correct the name or leave the option out.',
    })
  }
}

/** An option that counts something: a safe integer of at least `least`. */
export function requireCount(name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new OptionError(`${name} is not a usable number`, {
    given: String(value),
    allowed: `an integer of at least ${least}`,
    remedy: `Pass an integer for ${name}, or leave it out for the default.`,
  })
}
