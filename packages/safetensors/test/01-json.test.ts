import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type JsonLimits, JsonProblem, parseJson, toPlain } from '../src/json.js'
import { runs } from './helpers.js'

const WIDE: JsonLimits = { maxDepth: 64, maxKeys: 1e6, maxContainers: 1e6, maxItems: 1e6 }

function problem(text: string, limits: JsonLimits = WIDE): string {
  try {
    parseJson(text, limits)
  } catch (error) {
    expect(error).toBeInstanceOf(JsonProblem)
    return (error as JsonProblem).message
  }
  throw new Error(`accepted: ${text}`)
}

/** What JSON.parse makes of a text; undefined when it refuses. */
function reference(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

describe('the JSON reader', () => {
  test('reads what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value)
        if (/\\ud[89a-f]/.test(text)) return
        expect(JSON.parse(JSON.stringify(toPlain(parseJson(text, WIDE))))).toEqual(JSON.parse(text))
      }),
      runs(1000),
    )
  })

  test('never accepts a text that JSON.parse refuses, and agrees on the value of the others', () => {
    const characters = fc.constantFrom(...'{}[]":,\\u0129.eE+-truefalsn \n\t/a')
    const texts = fc.oneof(
      fc.array(characters, { maxLength: 12 }).map((parts) => parts.join('')),
      fc.tuple(fc.json(), fc.nat(), characters).map(([json, at, c]) => {
        const i = at % (json.length + 1)
        return json.slice(0, i) + c + json.slice(i + 1)
      }),
    )
    fc.assert(
      fc.property(texts, (text) => {
        const expected = reference(text)
        let value: unknown
        try {
          value = toPlain(parseJson(text, WIDE))
        } catch (error) {
          expect(error).toBeInstanceOf(JsonProblem)
          const reason = (error as Error).message
          if (expected !== undefined) expect(reason).toMatch(/twice|surrogate/)
          return
        }
        expect(expected).toBeDefined()
        expect(JSON.stringify(value)).toBe(JSON.stringify(expected?.value))
      }),
      runs(5000),
    )
  })

  test('refuses duplicate keys at every level, also when one is spelled with escapes', () => {
    expect(problem('{"a":1,"a":2}')).toBe('the key "a" appears twice')
    expect(problem('[{"b":{"a":1,"\\u0061":2}}]')).toBe('the key "a" appears twice')
    expect(problem('{"__proto__":1,"__proto__":2}')).toMatch('appears twice')
  })

  test('keeps keys that mean something to JavaScript as plain keys', () => {
    const plain = toPlain(parseJson('{"__proto__":{"x":1},"constructor":2}', WIDE)) as object
    expect(Object.keys(plain)).toEqual(['__proto__', 'constructor'])
    expect(Object.getPrototypeOf(plain)).toBeNull()
    expect(({} as { x?: number }).x).toBeUndefined()
  })

  test('bounds depth, keys, containers and items', () => {
    const limits = { maxDepth: 3, maxKeys: 2, maxContainers: 4, maxItems: 2 }
    expect(parseJson('[[[]],{"a":1}]', limits)).toHaveLength(2)
    expect(problem('[[[[]]]]', limits)).toBe('it is nested more than 3 deep')
    expect(problem('{"a":1,"b":2,"c":3}', limits)).toBe('it has more than 2 keys')
    expect(problem('[[[],[]],[]]', limits)).toBe('it has more than 4 objects and arrays')
    expect(problem('[1,2,3]', limits)).toBe('an array has more than 2 items')
    expect(problem('['.repeat(1_000_000))).toBe('it is nested more than 64 deep')
  })

  test.each(['-1', '1.0', '1e3', '01', '-0', '1.', '.5', '1E0'])(
    'where only natural numbers are allowed, refuses %s',
    (text) => {
      expect(problem(text, { ...WIDE, naturalNumbers: true })).toMatch('whole number')
    },
  )

  test.each([
    ['', 'a value was expected'],
    ['nul', 'a value was expected'],
    ['{"a"', '":" was expected after a key'],
    ['{a:1}', 'a key in double quotes was expected'],
    ['{"a":1,}', 'a key in double quotes was expected'],
    ['{"a":1', '"," or "}" was expected'],
    ['[1 2]', '"," or "]" was expected'],
    ['"a', 'a string is not closed'],
    ['"a\\', 'a string is not closed'],
    ['"\\x"', 'a string has an escape that JSON does not know'],
    ['"a\nb"', 'a string has an unescaped control character'],
    ['"\\ud800"', 'a string has half of a surrogate pair'],
    ['{} {}', 'there is text after the end of the value'],
  ])('says what is wrong with %j', (text, message) => {
    expect(problem(text)).toBe(message)
  })
})
