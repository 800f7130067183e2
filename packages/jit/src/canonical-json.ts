import { OptionError } from '@deepgemm/core'

/** What a canonical document may hold: JSON values, with finite numbers only. */
export type CanonicalValue =
  | string
  | number
  | boolean
  | null
  | readonly CanonicalValue[]
  | { readonly [name: string]: CanonicalValue }

/**
 * JSON with one spelling per value: object members sorted by UTF-16 code unit, no white space,
 * numbers as ECMAScript prints them. Equal values give equal text on every machine, which is what
 * lets a digest of the text stand for the value.
 */
export function canonicalJson(value: CanonicalValue): string {
  return write(value, undefined)
}

/** The same document for people: canonical order, two spaces of indentation, a final newline. */
export function readableCanonicalJson(value: CanonicalValue): string {
  return `${write(value, '\n')}\n`
}

/** `line` is the line break with its indentation, or undefined for the compact form. */
function write(value: CanonicalValue, line: string | undefined): string {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') {
    return JSON.stringify(value)
  }
  if (typeof value === 'number') return JSON.stringify(finite(value))
  const inner = line === undefined ? undefined : `${line}  `
  if (isArray(value)) {
    return bracket(
      '[]',
      value.map((item) => write(item, inner)),
      line,
    )
  }
  if (typeof value === 'object') {
    const colon = line === undefined ? ':' : ': '
    const members = Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => `${JSON.stringify(name)}${colon}${write(member, inner)}`)
    return bracket('{}', members, line)
  }
  throw new OptionError('a value cannot be written as canonical JSON', {
    given: typeof value,
    allowed: 'strings, finite numbers, booleans, null, arrays and plain objects',
    remedy: 'Remove the member or convert it to one of these.',
  })
}

function bracket(pair: '[]' | '{}', parts: readonly string[], line: string | undefined): string {
  if (parts.length === 0) return pair
  const body = line === undefined ? parts.join(',') : `${line}  ${parts.join(`,${line}  `)}${line}`
  return pair[0] + body + pair[1]
}

function isArray(value: CanonicalValue): value is readonly CanonicalValue[] {
  return Array.isArray(value)
}

function finite(value: number): number {
  if (Number.isFinite(value)) return value
  throw new OptionError('a number cannot be written as canonical JSON', {
    given: String(value),
    allowed: 'finite numbers',
    remedy: 'Replace NaN and infinities before the value becomes part of a key.',
  })
}
