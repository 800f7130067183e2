/**
 * A strict JSON reader for untrusted text. Unlike JSON.parse it refuses duplicate keys, bounds depth and
 * counts, and returns objects as Maps, so that a key such as `__proto__` is only a key.
 */

import { quote } from './text.js'

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject
export type JsonObject = ReadonlyMap<string, JsonValue>

/** Bounds on one document: with them its parsed form stays within a small multiple of its text. */
export type JsonLimits = {
  /** Deepest nesting of objects and arrays. */
  readonly maxDepth: number
  /** Most keys in the whole document. */
  readonly maxKeys: number
  /** Most objects and arrays in the whole document. */
  readonly maxContainers: number
  /** Most items of one array. */
  readonly maxItems: number
  /** Refuse numbers that are not plain digits: no sign, fraction or exponent. */
  readonly naturalNumbers?: boolean
}

/** Why a text was refused, and at which character. */
export class JsonProblem extends Error {
  readonly offset: number

  constructor(message: string, offset: number) {
    super(message)
    this.offset = offset
  }
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const NATURAL = /(?:0|[1-9][0-9]*)(?![.eE0-9])/y
const LONE_SURROGATE = /\p{Surrogate}/u

/** @throws {JsonProblem} and nothing else. */
export function parseJson(text: string, limits: JsonLimits): JsonValue {
  const parser = new Parser(text, limits)
  const value = parser.value(0)
  parser.end()
  return value
}

class Parser {
  readonly #text: string
  readonly #limits: JsonLimits
  #at = 0
  #keys = 0
  #containers = 0

  constructor(text: string, limits: JsonLimits) {
    this.#text = text
    this.#limits = limits
  }

  value(depth: number): JsonValue {
    const c = this.#peek()
    if (c === '{') return this.#object(depth + 1)
    if (c === '[') return this.#array(depth + 1)
    if (c === '"') return this.#string()
    if (c === 'n') return this.#word('null', null)
    if (c === 't') return this.#word('true', true)
    if (c === 'f') return this.#word('false', false)
    return this.#number()
  }

  end(): void {
    if (this.#peek() !== '') this.#fail('there is text after the end of the value')
  }

  #object(depth: number): JsonObject {
    this.#enter(depth)
    const members = new Map<string, JsonValue>()
    if (this.#took('}')) return members
    do {
      if (this.#peek() !== '"') this.#fail('a key in double quotes was expected')
      const key = this.#string()
      if (members.has(key)) this.#fail(`the key ${quote(key)} appears twice`)
      if (this.#keys++ === this.#limits.maxKeys) {
        this.#fail(`it has more than ${this.#limits.maxKeys} keys`)
      }
      if (!this.#took(':')) this.#fail('":" was expected after a key')
      members.set(key, this.value(depth))
    } while (this.#took(','))
    if (!this.#took('}')) this.#fail('"," or "}" was expected')
    return members
  }

  #array(depth: number): readonly JsonValue[] {
    this.#enter(depth)
    const items: JsonValue[] = []
    if (this.#took(']')) return items
    do {
      if (items.length === this.#limits.maxItems) {
        this.#fail(`an array has more than ${this.#limits.maxItems} items`)
      }
      items.push(this.value(depth))
    } while (this.#took(','))
    if (!this.#took(']')) this.#fail('"," or "]" was expected')
    return items
  }

  #enter(depth: number): void {
    if (depth > this.#limits.maxDepth) {
      this.#fail(`it is nested more than ${this.#limits.maxDepth} deep`)
    }
    if (this.#containers++ === this.#limits.maxContainers) {
      this.#fail(`it has more than ${this.#limits.maxContainers} objects and arrays`)
    }
    this.#at++
  }

  /** Reads a string. Ones without escapes, nearly all, are one slice. */
  #string(): string {
    const start = this.#at
    let escaped = false
    for (let i = start + 1; i < this.#text.length; i++) {
      const c = this.#text.charCodeAt(i)
      if (c === 0x22) {
        this.#at = i + 1
        return escaped ? this.#unescape(start, i + 1) : this.#text.slice(start + 1, i)
      }
      if (c < 0x20) this.#fail('a string has an unescaped control character', i)
      if (c === 0x5c) {
        escaped = true
        i++
      }
    }
    return this.#fail('a string is not closed', start)
  }

  #unescape(start: number, end: number): string {
    let value: string
    try {
      value = JSON.parse(this.#text.slice(start, end)) as string
    } catch {
      return this.#fail('a string has an escape that JSON does not know', start)
    }
    if (LONE_SURROGATE.test(value)) this.#fail('a string has half of a surrogate pair', start)
    return value
  }

  #word<V extends JsonValue>(word: string, value: V): V {
    if (!this.#text.startsWith(word, this.#at)) this.#fail('a value was expected')
    this.#at += word.length
    return value
  }

  #number(): number {
    const pattern = this.#limits.naturalNumbers === true ? NATURAL : NUMBER
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match === null) {
      const isNumber = /[-.0-9]/.test(this.#text.charAt(this.#at))
      return this.#fail(isNumber ? 'a number is not a plain whole number' : 'a value was expected')
    }
    this.#at += match[0].length
    return Number(match[0])
  }

  /** The next character that is not white space, or '' at the end; stays before it. */
  #peek(): string {
    while (this.#at < this.#text.length) {
      const c = this.#text.charCodeAt(this.#at)
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return this.#text.charAt(this.#at)
      this.#at++
    }
    return ''
  }

  #took(mark: string): boolean {
    if (this.#peek() !== mark) return false
    this.#at++
    return true
  }

  #fail(message: string, offset: number = this.#at): never {
    throw new JsonProblem(message, offset)
  }
}

/** Maps become plain objects without a prototype, for values that leave the package. */
export function toPlain(value: JsonValue): unknown {
  if (value instanceof Map) {
    const plain = Object.create(null) as Record<string, unknown>
    for (const [key, item] of value as JsonObject) plain[key] = toPlain(item)
    return plain
  }
  return Array.isArray(value) ? value.map((item: JsonValue) => toPlain(item)) : value
}
