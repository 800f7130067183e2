import { checkConfig, checkIdentifier, type KernelConfig } from './config.js'

/**
 * The C++ text of a config: a struct of constants that a kernel takes as its one template argument.
 * Members are sorted by name, so the text depends on the values alone.
 */
export function configHeader(name: string, config: KernelConfig): string {
  checkIdentifier('the name of a config struct', name)
  checkConfig(config)
  const members = Object.entries(config)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([member, value]) => `  static constexpr ${constant(member, value)};`)
  return [
    '#pragma once',
    '',
    'namespace deepgemm {',
    '',
    `struct ${name} {`,
    ...members,
    '};',
    '',
    '}  // namespace deepgemm',
    '',
  ].join('\n')
}

function constant(member: string, value: string | number | boolean): string {
  if (typeof value === 'boolean') return `bool ${member} = ${value}`
  if (typeof value === 'string') return `auto ${member} = ${value}`
  if (!Number.isInteger(value)) return `float ${member} = ${floatLiteral(value)}`
  const wide = value < -0x7fffffff || value > 0x7fffffff
  return wide ? `long long ${member} = ${value}LL` : `int ${member} = ${value === 0 ? 0 : value}`
}

/** A fraction that is exact in `float`; ECMAScript's shortest spelling reads back to the same value. */
function floatLiteral(value: number): string {
  return `${value}f`
}
