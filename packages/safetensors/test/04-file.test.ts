import { execFile } from 'node:child_process'
import { truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CheckpointError, DisposedError, OptionError } from '@deepgemm/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SAFETENSORS_DTYPES, SafetensorsFile } from '../src/index.js'
import { entryText, rawFile, refusal, runs, temporaryFolder, written } from './helpers.js'

const HEADER = `{"grid":${entryText('I16', '[5,3]', '[0,30]')},"s":${entryText('F32', '[]', '[30,34]')},"e":${entryText('U8', '[0,4]', '[34,34]')},"n":${entryText('U8', '[3,0]', '[34,34]')}}`
const DATA = Uint8Array.from({ length: 34 }, (_, i) => i % 251)

async function opened(): Promise<SafetensorsFile> {
  return SafetensorsFile.open(await written(rawFile(HEADER, 34)))
}

describe('a file built by hand', () => {
  test('lists its tensors in the order of the header', async () => {
    await using file = await opened()
    expect([...file.tensors.keys()]).toEqual(['grid', 's', 'e', 'n'])
    expect(file.entry('grid')).toMatchObject({ dtype: 'I16', shape: [5, 3], byteLength: 30 })
    expect(file.byteLength).toBe(8 + HEADER.length + 34)
    expect(file.metadata.size).toBe(0)
  })

  test('reads whole tensors, scalars and empty ones', async () => {
    await using file = await opened()
    expect(await file.read('grid')).toEqual(DATA.subarray(0, 30))
    expect(await file.read('s')).toEqual(DATA.subarray(30, 34))
    expect(await file.read('e')).toEqual(new Uint8Array(0))
  })

  test('reads any range of a tensor, many at once, as the same bytes', async () => {
    await using file = await opened()
    const range = fc.tuple(fc.nat(30), fc.nat(30)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)])
    await fc.assert(
      fc.asyncProperty(fc.array(range, { maxLength: 20 }), async (ranges) => {
        const reads = ranges.map(async ([begin = 0, end = 0]) => {
          const bytes = await file.read('grid', { byteOffset: begin, byteLength: end - begin })
          expect(bytes).toEqual(DATA.subarray(begin, end))
        })
        await Promise.all(reads)
      }),
      runs(50),
    )
  })

  test("fills the caller's buffer and touches nothing past the range", async () => {
    await using file = await opened()
    const into = new Uint8Array(8).fill(0xee)
    const bytes = await file.read('grid', { into, byteOffset: 2, byteLength: 4 })
    expect(bytes.buffer).toBe(into.buffer)
    expect([...into]).toEqual([2, 3, 4, 5, 0xee, 0xee, 0xee, 0xee])
  })

  test('reads rows', async () => {
    await using file = await opened()
    expect(await file.readRows('grid', 1, 3)).toEqual(DATA.subarray(6, 18))
    expect(await file.readRows('grid', 5, 5)).toEqual(new Uint8Array(0))
    const into = new Uint8Array(6)
    expect((await file.readRows('grid', 4, 5, { into })).buffer).toBe(into.buffer)
    expect(await file.readRows('e', 0, 0)).toEqual(new Uint8Array(0))
    expect(await file.readRows('n', 1, 3)).toEqual(new Uint8Array(0))
  })

  test('streams a tensor in chunks of whole elements', async () => {
    await using file = await opened()
    const lengths: number[] = []
    const all: number[] = []
    for await (const chunk of file.chunks('grid', { chunkBytes: 9 })) {
      lengths.push(chunk.byteLength)
      all.push(...chunk)
    }
    expect(lengths).toEqual([8, 8, 8, 6])
    expect(all).toEqual([...DATA.subarray(0, 30)])
    for await (const chunk of file.chunks('grid')) expect(chunk.byteLength).toBe(30)
    for await (const _ of file.chunks('e')) throw new Error('an empty tensor has no chunks')
  })

  test('is of no use after close, and closing twice is fine', async () => {
    const file = await opened()
    await file.close()
    await file.close()
    expect(file.closed).toBe(true)
    await expect(file.read('grid')).rejects.toThrow(DisposedError)
    expect(file.entry('grid').byteLength).toBe(30)
  })
})

test('a file written by the reference implementation reads, in every dtype', async () => {
  // Made by safetensors 0.8.0 for Python. Byte j of the i-th dtype's tensor is (7j + i) mod 256.
  const path = join(import.meta.dirname, 'fixtures/reference.safetensors')
  await using file = await SafetensorsFile.open(path)
  const dtypes =
    'BOOL U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ I16 U16 F16 BF16 I32 U32 F32 C64 F64 I64 U64'
  expect(SAFETENSORS_DTYPES.toSorted()).toEqual(dtypes.split(' ').sort())
  expect(Object.fromEntries(file.metadata)).toEqual({ format: 'np', k: 'ü' })
  for (const [i, dtype] of dtypes.split(' ').entries()) {
    const entry = file.entry(`t.${dtype}`)
    expect(entry).toMatchObject({ dtype, shape: [[], [3], [2, 2], [0, 4], [1, 2, 3]][i % 5] })
    const bytes = Uint8Array.from({ length: entry.byteLength }, (_, j) => 7 * j + i)
    expect(await file.read(entry.name)).toEqual(bytes)
  }
  expect(await file.read('ünïcode "q" \\')).toEqual(Uint8Array.of(1, 2))
})

describe('a wrong argument is an error that says what is allowed', () => {
  test.each<[string, (file: SafetensorsFile) => Promise<unknown>, RegExp]>([
    [
      'a range past the end',
      (f) => f.read('grid', { byteOffset: 31 }),
      /byteOffset .*31.* 0 to 30/,
    ],
    ['a length past the end', (f) => f.read('grid', { byteOffset: 29, byteLength: 2 }), /0 to 1/],
    ['a negative offset', (f) => f.read('grid', { byteOffset: -1 }), /given -1/],
    ['a fraction', (f) => f.read('grid', { byteLength: 1.5 }), /given 1.5/],
    [
      'a small buffer',
      (f) => f.read('grid', { into: new Uint8Array(29) }),
      /given 29 bytes; allowed .* 30/,
    ],
    ['a buffer of another type', (f) => f.read('grid', { into: [] as never }), /given object/],
    ['a misspelled option', (f) => f.read('grid', { offset: 1 } as never), /offset/],
    ['rows in reverse', (f) => f.readRows('grid', 3, 2), /begin .* 0 to 2/],
    ['rows past the end', (f) => f.readRows('grid', 0, 6), /end .* 0 to 5/],
    ['rows of a scalar', (f) => f.readRows('s', 0, 1), /rank 1 or more/],
    ['chunks below an element', (f) => f.chunks('grid', { chunkBytes: 1 }).next(), /chunkBytes/],
  ])('%s', async (_, action, message) => {
    await using file = await opened()
    const error = await action(file).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(OptionError)
    expect((error as Error).message).toMatch(message)
  })

  test('an unknown name', async () => {
    await using file = await opened()
    const error = await refusal(() => file.read('toString'))
    expect(error.message).toMatch(/no such tensor .* given "toString"; allowed one of its 4 names/)
  })

  test('a path that is not text', async () => {
    await expect(SafetensorsFile.open(undefined as never)).rejects.toThrow(OptionError)
    await expect(SafetensorsFile.open('')).rejects.toThrow(OptionError)
  })
})

describe('what cannot be opened is refused with the path and a remedy', () => {
  test.each<[string, () => Promise<string>, RegExp]>([
    ['a missing file', async () => join(await temporaryFolder(), 'none'), /ENOENT.*typing error/],
    ['a folder', temporaryFolder, /given a folder; allowed a regular file/],
    ['a path through a file', async () => join(await written('x'), 'y'), /ENOTDIR/],
    ['an empty file', () => written(''), /given 0 bytes; allowed at least 8/],
    ['a file of 7 bytes', () => written('1234567'), /given 7 bytes/],
    ['text', () => written('hello, I am not a checkpoint'), /a header of \d+ bytes/],
    ['a path with NUL', async () => 'a\u0000b', /without NUL/],
    ['a device', async () => '/dev/zero', /not a regular file/],
  ])('%s', async (_, path, message) => {
    const error = await refusal(async () => SafetensorsFile.open(await path()))
    expect(error.message).toMatch(message)
    expect(error.remedy).toBeTruthy()
  })

  test.skipIf(process.platform === 'win32')('a pipe, without waiting for its writer', async () => {
    const path = join(await temporaryFolder(), 'pipe')
    await promisify(execFile)('mkfifo', [path])
    const error = await refusal(() => SafetensorsFile.open(path))
    expect(error.message).toMatch('not a regular file')
  })

  test('a file that becomes shorter while it is open', async () => {
    const path = await written(rawFile(HEADER, 34))
    await using file = await SafetensorsFile.open(path)
    await truncate(path, file.byteLength - 30)
    const error = await refusal(() => file.read('grid'))
    expect(error.message).toMatch(/ends early.*Something shortened the file/s)
  })

  test('a tensor larger than memory says how to read it', async () => {
    const bytes = 2 ** 43
    const header = `{"a":${entryText('U8', `[${bytes}]`, `[0,${bytes}]`)}}`
    const path = await written(rawFile(header))
    // Sparse: it takes no room on the disk.
    await truncate(path, 8 + header.length + bytes)
    await using file = await SafetensorsFile.open(path)
    await expect(file.read('a')).rejects.toThrow(CheckpointError)
    await expect(file.read('a')).rejects.toThrow(/piece by piece/)
    expect(await file.read('a', { byteOffset: bytes - 2 })).toEqual(new Uint8Array(2))
  })
})
