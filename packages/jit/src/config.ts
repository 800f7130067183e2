import { OptionError } from '@deepgemm/core'

/**
 * The compile-time choices of a kernel: tile sizes, stages, cluster, layout. Flat on purpose, so
 * that it is a C++ struct of constants, a row in a table and a part of the key all at once.
 *
 * Integers become `int` (or `long long`), other numbers `float`, booleans `bool`, and strings the
 * C++ name they spell, such as `Layout::kPacked`.
 */
export type KernelConfig = { readonly [name: string]: string | number | boolean }

const maxMembers = 256
const maxNameLength = 64
const identifier = /^[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*$/
const qualifiedName =
  /^[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*(?:::[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*)*$/

/** Throws an OptionError unless every member can stand in generated C++ and in a key. */
export function checkConfig(config: KernelConfig): void {
  const names = Object.keys(config)
  if (names.length > maxMembers) {
    throw new OptionError('a kernel config has too many members', {
      given: String(names.length),
      allowed: `at most ${maxMembers}`,
      remedy: 'A config holds compile-time choices only; pass data as kernel arguments.',
    })
  }
  for (const name of names) {
    checkIdentifier('the name of a kernel config member', name)
    checkValue(name, config[name])
  }
}

/** Throws an OptionError unless `name` can stand as a C++ identifier that is not reserved. */
export function checkIdentifier(subject: string, name: string): void {
  if (name.length <= maxNameLength && identifier.test(name) && !isKeyword(name)) return
  throw new OptionError(`${subject} is not a C++ identifier`, {
    given: JSON.stringify(name.slice(0, maxNameLength)),
    allowed: `letters, digits and single underscores, first a letter, at most ${maxNameLength}, no keyword`,
    remedy: 'Rename it.',
  })
}

function checkValue(name: string, value: unknown): void {
  if (typeof value === 'boolean') return
  if (typeof value === 'number' && isExact(value)) return
  if (typeof value === 'string' && isQualifiedName(value)) return
  throw new OptionError(`the kernel config member ${name} has a value that C++ cannot take`, {
    given: typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : String(value),
    allowed:
      'a safe integer, a number exact in float, a boolean, or a C++ name such as Layout::kPacked',
    remedy: 'Change the value.',
  })
}

/** Integers up to 2^53 and fractions that a `float` holds without rounding. */
function isExact(value: number): boolean {
  return Number.isInteger(value) ? Number.isSafeInteger(value) : Math.fround(value) === value
}

function isQualifiedName(text: string): boolean {
  if (text.length > 4 * maxNameLength || !qualifiedName.test(text)) return false
  return text.split('::').every((part) => !isKeyword(part))
}

/** Keywords that have the shape of our identifiers; enough that generated text cannot be a statement. */
const keywords: ReadonlySet<string> = new Set(
  (
    'alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t ' +
    'char32_t class compl concept const consteval constexpr constinit const_cast continue co_await ' +
    'co_return co_yield decltype default delete do double dynamic_cast else enum explicit export ' +
    'extern false float for friend goto if inline int long mutable namespace new noexcept not ' +
    'not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires ' +
    'return short signed sizeof static static_assert static_cast struct switch template this ' +
    'thread_local throw true try typedef typeid typename union unsigned using virtual void ' +
    'volatile wchar_t while xor xor_eq'
  ).split(' '),
)

function isKeyword(name: string): boolean {
  return keywords.has(name)
}
