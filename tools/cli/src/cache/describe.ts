import type { KernelConfig } from '@deepgemm/jit'

/** Enough of a key for people. */
export function shortKey(key: string): string {
  return key.slice(0, 12)
}

/**
 * A config in a line: `128x112 stages=5 ordered multicast=right out=bf16`. What is off, one or none
 * says nothing and is left out.
 */
export function configText(config: KernelConfig): string {
  const { kBlockLeft, kBlockRight, ...rest } = config
  const tile = kBlockLeft === undefined ? [] : [`${kBlockLeft}x${kBlockRight}`]
  return [...tile, ...Object.entries(rest).flatMap(memberText)].join(' ')
}

/** How many bytes of shared memory a block takes follows from the rest. */
const IMPLIED = ['kSharedBytes']

function memberText([member, value]: [string, string | number | boolean]): string[] {
  if (IMPLIED.includes(member) || value === false || value === 1) return []
  const name = lowerFirst(member.replace(/^k(?=[A-Z])/, ''))
  if (value === true) return [name]
  const text = typeof value === 'string' ? lowerFirst(value.replace(/^.*::k?/, '')) : value
  return text === 'none' ? [] : [`${name}=${text}`]
}

function lowerFirst(word: string): string {
  return word.charAt(0).toLowerCase() + word.slice(1)
}
