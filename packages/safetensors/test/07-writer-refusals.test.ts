import { access, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { OptionError } from '@deepgemm/core'
import { describe, expect, test } from 'vitest'
import { SafetensorsWriter, type TensorSpec } from '../src/index.js'
import { refusal, temporaryFolder, written } from './helpers.js'

const TWO: readonly TensorSpec[] = [
  { name: 'a', dtype: 'U8', shape: [3] },
  { name: 'b', dtype: 'F32', shape: [2, 2] },
]

async function target(): Promise<string> {
  return join(await temporaryFolder(), 'out.safetensors')
}

describe('what cannot be written is refused with a sentence', () => {
  const one = (spec: object): readonly TensorSpec[] => [
    { name: 'a', dtype: 'U8', shape: [1], ...spec } as TensorSpec,
  ]
  test.each<[string, readonly TensorSpec[], RegExp]>([
    ['a name twice', [...one({}), ...one({})], /the name "a" twice/],
    ['the name of the metadata', one({ name: '__metadata__' }), /"__metadata__"/],
    ['half a surrogate pair', one({ name: '\ud800' }), /well-formed/],
    ['a name that is not text', one({ name: 5 }), /well-formed/],
    ['an unknown dtype', one({ dtype: 'f32' }), /dtype: given f32; allowed BOOL/],
    ['a dtype below a byte', one({ dtype: 'F4' }), /given F4/],
    ['a negative extent', one({ shape: [-1] }), /shape: given \[-1\]/],
    ['a fraction', one({ shape: [1.5] }), /shape: given \[1.5\]/],
    ['a shape that is not an array', one({ shape: '4' }), /shape: given 4/],
    ['a rank above the limit', one({ shape: new Array(33).fill(1) }), /at most 32/],
    ['more bytes than can be counted', one({ shape: [2 ** 52, 2 ** 52] }), /too large/],
    [
      'a sum that cannot be counted',
      [...one({ shape: [2 ** 52] }), ...one({ name: 'b', shape: [2 ** 53 - 1] })],
      /too large/,
    ],
    [
      'more than the disk has free',
      one({ shape: [2 ** 52] }),
      /no space .* bytes to write; allowed at most \d+/,
    ],
  ])('%s', async (_, bad, message) => {
    const path = await target()
    const error = await refusal(() => SafetensorsWriter.create(path, bad))
    expect(error.message).toMatch(message)
    expect(await readdir(dirname(path))).toEqual([])
  })

  test('a header above the limit of readers', async () => {
    const metadata = { long: 'x'.repeat(100_000_000) }
    const error = await refusal(async () =>
      SafetensorsWriter.create(await target(), [], { metadata }),
    )
    expect(error.message).toMatch(/header of .* is too long/)
  })

  test('metadata that is not text', async () => {
    const bad = { a: 1 } as never
    const error = await refusal(async () =>
      SafetensorsWriter.create(await target(), [], { metadata: bad }),
    )
    expect(error.message).toMatch(/metadata .* given "a": "1"/)
  })

  test.each<[string, () => Promise<string>, RegExp]>([
    ['a folder that is missing', async () => join(await temporaryFolder(), 'no', 'x'), /ENOENT/],
    ['a folder', temporaryFolder, /EISDIR/],
    ['a path through a file', async () => join(await written('x'), 'y'), /ENOTDIR/],
    [
      'a file system that takes no files',
      async () => '/proc/x.safetensors',
      /cannot write "\/proc/,
    ],
    [
      'a name that is too long',
      async () => join(await temporaryFolder(), 'x'.repeat(300)),
      /shorter/,
    ],
  ])('a path that is %s', async (_, path, message) => {
    const error = await refusal(async () => SafetensorsWriter.create(await path(), TWO))
    expect(error.message).toMatch(message)
    expect(error.remedy).toBeTruthy()
  })

  test('a write outside of what was announced, or twice', async () => {
    await using writer = await SafetensorsWriter.create(await target(), TWO)
    expect((await refusal(() => writer.write('c', new Uint8Array(1)))).message).toMatch(
      'not announced',
    )
    expect((await refusal(() => writer.write('a', new Uint8Array(4)))).message).toMatch('at most 3')
    await writer.write('a', new Uint8Array(2))
    const again = await refusal(() => writer.write('a', new Uint8Array(2), { byteOffset: 1 }))
    expect(again.message).toMatch(/bytes 1 to 3, a part of which is written already/)
    await expect(writer.write('a', new Uint8Array(2))).rejects.toThrow(OptionError)
    await expect(writer.write('a', new Float32Array(1) as never)).rejects.toThrow(OptionError)
    await expect(writer.write('a', new Uint8Array(1), { offset: 2 } as never)).rejects.toThrow(
      OptionError,
    )
    expect(writer.aborted).toBe(false)
    expect(writer.remaining).toBe(17)
  })

  test('a write after the end', async () => {
    const path = await target()
    const writer = await SafetensorsWriter.create(path, [])
    await writer.finish()
    await writer.abort()
    expect((await refusal(() => writer.write('a', new Uint8Array(0)))).message).toMatch(
      'is finished',
    )
    await access(path)
  })
})
