import { describe, expect, test } from 'vitest'
import { parseHeader, parseHeaderLength } from '../src/header-parse.js'
import { entryText, refusal } from './helpers.js'

const U8_4 = entryText('U8', '[4]', '[0,4]')

function parse(header: string | Uint8Array, dataBytes: number): ReturnType<typeof parseHeader> {
  const bytes = typeof header === 'string' ? new TextEncoder().encode(header) : header
  return parseHeader(bytes, dataBytes, 'x.safetensors')
}

function prefix(length: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, length, true)
  return bytes
}

describe('the length of a header', () => {
  test('is read as a little-endian 64-bit number', () => {
    expect(parseHeaderLength(prefix(300n), 400, 'x')).toBe(300)
  })

  test.each([
    ['beyond the file', 393n, 400],
    ['above 100 MB, even in a larger file', 100_000_001n, 1e12],
    ['above 2 to the 53', 2n ** 53n + 1n, 400],
    ['of all ones', 2n ** 64n - 1n, 400],
  ])('%s is refused', async (_, length, fileBytes) => {
    const error = await refusal(() => parseHeaderLength(prefix(length), fileBytes, 'x'))
    expect(error.message).toContain(`a header of ${length} bytes`)
  })

  test('cannot be read from a file shorter than it', async () => {
    const error = await refusal(() => parseHeaderLength(new Uint8Array(7), 7, 'x'))
    expect(error.given).toBe('7 bytes')
  })
})

describe('a header', () => {
  test('gives each tensor with its place in the file, and the metadata', () => {
    const text = `{"__metadata__":{"format":"pt"},"b":${entryText('F32', '[2,1]', '[4,12]')},"a":${U8_4}}  `
    const { tensors, metadata } = parse(text, 12)
    const start = 8 + text.length
    expect([...tensors.values()]).toEqual([
      { name: 'b', dtype: 'F32', shape: [2, 1], byteLength: 8, fileOffset: start + 4 },
      { name: 'a', dtype: 'U8', shape: [4], byteLength: 4, fileOffset: start },
    ])
    expect([...metadata]).toEqual([['format', 'pt']])
  })

  test('may hold scalars, empty tensors anywhere, and nothing at all', () => {
    expect(parse('{}', 0).tensors.size).toBe(0)
    expect(parse(`{"s":${entryText('F64', '[]', '[0,8]')}}`, 8).tensors.get('s')?.byteLength).toBe(
      8,
    )
    const empty = (at: number): string => entryText('F32', '[0,5]', `[${at},${at}]`)
    expect(parse(`{"e":${empty(4)},"f":${empty(0)},"a":${U8_4}}`, 4).tensors.size).toBe(3)
  })

  test('treats names that mean something to JavaScript as names', () => {
    const zero = entryText('U8', '[0]', '[0,0]')
    const { tensors } = parse(
      `{"__proto__":${U8_4},"constructor":${zero},"hasOwnProperty":${zero}}`,
      4,
    )
    expect([...tensors.keys()]).toEqual(['__proto__', 'constructor', 'hasOwnProperty'])
    const { metadata } = parse('{"__metadata__":{"__proto__":"x"}}', 0)
    expect(metadata.get('__proto__')).toBe('x')
  })

  test('cannot be changed by its reader', () => {
    const entry = parse(`{"a":${U8_4}}`, 4).tensors.get('a')
    expect(Object.isFrozen(entry) && Object.isFrozen(entry?.shape)).toBe(true)
  })
})

describe('a hostile header is refused with a sentence', () => {
  const BIG = '9007199254740991'
  test.each<[string, string, number, RegExp]>([
    ['empty', '', 0, /begin with "{"/],
    ['not JSON', '{nonsense', 0, /a key in double quotes was expected, at character 1/],
    ['an array', '[]', 0, /begin with "{"/],
    ['text after the object', '{}x', 0, /text after the end/],
    ['a NUL after the object', '{}\u0000', 0, /text after the end/],
    ['a tensor named twice', `{"a":${U8_4},"a":${U8_4}}`, 4, /the key "a" appears twice/],
    [
      'a field named twice',
      `{"a":{"dtype":"U8","dtype":"U8","shape":[4],"data_offsets":[0,4]}}`,
      4,
      /"dtype" appears twice/,
    ],
    ['deep nesting', `{"a":{"b":[[0]]}}`, 0, /nested more than 3/],
    ['very deep nesting', `{"a":${'['.repeat(100_000)}`, 0, /nested more than 3/],
    ['an entry that is a number', '{"a":1}', 0, /given a number; allowed an object/],
    ['an entry that is null', '{"a":null}', 0, /given null; allowed an object/],
    ['an entry that is an array', '{"a":[]}', 0, /given an array/],
    ['an entry without dtype', '{"a":{"shape":[],"data_offsets":[0,0]}}', 0, /the keys "shape"/],
    [
      'an entry with more fields',
      `{"a":${U8_4.slice(0, -1)},"x":1}}`,
      4,
      /"x"; allowed an object of dtype/,
    ],
    [
      'an unknown dtype',
      `{"a":${entryText('U7', '[4]', '[0,4]')}}`,
      4,
      /dtype: given "U7"; allowed BOOL/,
    ],
    [
      'a dtype of Object.prototype',
      `{"a":${entryText('constructor', '[4]', '[0,4]')}}`,
      4,
      /dtype/,
    ],
    [
      'a dtype that is a number',
      '{"a":{"dtype":1,"shape":[],"data_offsets":[0,1]}}',
      1,
      /given a number/,
    ],
    [
      'a shape that is text',
      `{"a":${entryText('U8', '"4"', '[0,4]')}}`,
      4,
      /shape: given a string/,
    ],
    ['a shape of text', `{"a":${entryText('U8', '["4"]', '[0,4]')}}`, 4, /shape: given a string/],
    [
      'a negative extent',
      `{"a":${entryText('U8', '[-4]', '[0,4]')}}`,
      4,
      /not a plain whole number/,
    ],
    ['a fraction', `{"a":${entryText('U8', '[4.5]', '[0,4]')}}`, 4, /not a plain whole number/],
    ['an exponent', `{"a":${entryText('U8', '[4e0]', '[0,4]')}}`, 4, /not a plain whole number/],
    [
      'an extent above 2 to the 53',
      `{"a":${entryText('U8', '[9007199254740993]', '[0,4]')}}`,
      4,
      /whole numbers from 0 to/,
    ],
    [
      'a rank above the limit',
      `{"a":${entryText('U8', `[${'1,'.repeat(32)}1]`, '[0,1]')}}`,
      1,
      /more than 32 items/,
    ],
    [
      'a shape whose product overflows',
      `{"a":${entryText('U8', `[${BIG},${BIG}]`, '[0,4]')}}`,
      4,
      /bytes in all/,
    ],
    [
      'an overflow hidden by a zero',
      `{"a":${entryText('U8', `[${BIG},2,0]`, '[0,0]')}}`,
      0,
      /bytes in all/,
    ],
    [
      'negative offsets',
      `{"a":${entryText('U8', '[4]', '[-4,0]')}}`,
      4,
      /not a plain whole number/,
    ],
    [
      'offsets above 2 to the 53',
      `{"a":${entryText('U8', '[4]', '[0,18446744073709551620]')}}`,
      4,
      /whole numbers from 0/,
    ],
    ['one offset', `{"a":${entryText('U8', '[4]', '[0]')}}`, 4, /data_offsets: given \[0\]/],
    [
      'three offsets',
      `{"a":${entryText('U8', '[4]', '[0,4,4]')}}`,
      4,
      /data_offsets: given \[0, 4, 4\]/,
    ],
    [
      'end before begin',
      `{"a":${entryText('U8', '[0]', '[4,0]')}}`,
      4,
      /data_offsets: given \[4, 0\]/,
    ],
    [
      'offsets that do not match',
      `{"a":${entryText('F32', '[1]', '[0,3]')}}`,
      3,
      /the bytes of F32 \[1\]/,
    ],
    [
      'an overlap',
      `{"a":${U8_4},"b":${entryText('U8', '[4]', '[2,6]')}}`,
      6,
      /"b" .* overlaps another/,
    ],
    ['the same bytes twice', `{"a":${U8_4},"b":${U8_4}}`, 4, /overlaps another/],
    [
      'a hole',
      `{"a":${U8_4},"b":${entryText('U8', '[1]', '[5,6]')}}`,
      6,
      /"b" .* follows a hole: given a begin of 5; allowed 4/,
    ],
    ['a hole at the start', `{"a":${entryText('U8', '[3]', '[1,4]')}}`, 4, /follows a hole/],
    [
      'an empty tensor in another',
      `{"a":${U8_4},"b":${entryText('U8', '[0]', '[2,2]')}}`,
      4,
      /overlaps another/,
    ],
    ['truncated data', `{"a":${U8_4}}`, 3, /is truncated: given 3 bytes of data; allowed 4/],
    ['longer data', `{"a":${U8_4}}`, 5, /has bytes that no tensor owns/],
    ['data without tensors', '{}', 1, /has bytes that no tensor owns/],
    [
      'a huge empty promise',
      `{"a":${entryText('U8', `[${BIG}]`, `[0,${BIG}]`)}}`,
      4,
      /is truncated/,
    ],
    [
      'metadata that is text',
      '{"__metadata__":"x"}',
      0,
      /given a string; allowed an object of strings/,
    ],
    [
      'metadata of numbers',
      '{"__metadata__":{"a":1}}',
      0,
      /given a number for "a"; allowed strings/,
    ],
    ['metadata of objects', '{"__metadata__":{"a":{}}}', 0, /given an object for "a"/],
    ['half a surrogate pair', `{"\\ud800":${U8_4}}`, 4, /surrogate/],
  ])('%s', async (_, header, dataBytes, message) => {
    const error = await refusal(() => parse(header, dataBytes))
    expect(error.message).toMatch(message)
    expect(error.message).toContain('x.safetensors')
  })

  test.each(['F4', 'F6_E2M3', 'F6_E3M2'])('%s, which is smaller than a byte', async (dtype) => {
    const error = await refusal(() => parse(`{"a":${entryText(dtype, '[4]', '[0,2]')}}`, 2))
    expect(error.message).toMatch(`dtype is smaller than a byte: given ${dtype}`)
  })

  test('bytes that are not UTF-8, or begin with a byte order mark', async () => {
    const invalid = await refusal(() => parse(Uint8Array.of(0x7b, 0xff, 0x7d), 0))
    expect(invalid.message).toMatch('not UTF-8')
    const marked = await refusal(() => parse(Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d), 0))
    expect(marked.message).toMatch('begin with "{"')
  })

  test('a name cannot redraw the terminal of whoever reads the message', async () => {
    const error = await refusal(() => parse('{"\\u001b[2J\\u202e\\u009b":1}', 0))
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
    expect(error.message).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/)
    const long = await refusal(() => parse(`{"${'x'.repeat(1e6)}":1}`, 0))
    expect(long.message.length).toBeLessThan(1000)
  })

  test('too many tensors', async () => {
    const entry = entryText('U8', '[0]', '[0,0]')
    const many = Array.from({ length: 524_289 }, (_, i) => `"${i}":${entry}`).join(',')
    const error = await refusal(() => parse(`{${many}}`, 0))
    expect(error.message).toMatch(/more than|too many/)
  })
})
