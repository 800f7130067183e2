import { access, open, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { OptionError } from '@deepgemm/core'
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  SafetensorsFile,
  SafetensorsWriter,
  safetensorsDTypeBytes,
  type TensorSpec,
  writeFileAtomic,
} from '../src/index.js'
import { RangeSet } from '../src/range-set.js'
import {
  metadata,
  pattern,
  refusal,
  runs,
  sizeOf,
  specs,
  temporaryFolder,
  written,
} from './helpers.js'

afterEach(() => {
  vi.restoreAllMocks()
})

const TWO: readonly TensorSpec[] = [
  { name: 'a', dtype: 'U8', shape: [3] },
  { name: 'b', dtype: 'F32', shape: [2, 2] },
]

async function target(): Promise<string> {
  return join(await temporaryFolder(), 'out.safetensors')
}

/** Makes the next `method` of any file handle fail, as a full or broken disk would. */
async function failNext(method: 'write' | 'sync', code: string): Promise<void> {
  const handle = await open(import.meta.filename)
  const prototype = Object.getPrototypeOf(handle)
  await handle.close()
  vi.spyOn(prototype, method).mockRejectedValueOnce(Object.assign(new Error(code), { code }))
}

describe('a round trip', () => {
  test('gives back any tensors and metadata, written whole', async () => {
    await fc.assert(
      fc.asyncProperty(specs, metadata, async (wanted, pairs) => {
        const path = await target()
        const writer = await SafetensorsWriter.create(path, wanted, { metadata: pairs })
        await Promise.all(
          wanted.map((spec, i) => writer.write(spec.name, pattern(sizeOf(spec), i))),
        )
        await writer.finish()
        await using file = await SafetensorsFile.open(path)
        expect(new Map(file.metadata)).toEqual(pairs)
        expect(file.tensors.size).toBe(wanted.length)
        expect(file.tensors).toEqual(writer.tensors)
        for (const [i, { name, dtype, shape }] of wanted.entries()) {
          const entry = file.entry(name)
          expect(entry).toMatchObject({ name, dtype, shape })
          expect(entry.fileOffset % safetensorsDTypeBytes(dtype)).toBe(0)
          expect(await file.read(name)).toEqual(pattern(entry.byteLength, i))
        }
      }),
      runs(200),
    )
  })

  test('gives back a tensor written in pieces of any size and order', async () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 99 }), { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(cuts, fc.infiniteStream(fc.nat()), async (points, random) => {
        const path = await target()
        const edges = [0, ...points.sort((a, b) => a - b), 100]
        const bytes = pattern(100, 1)
        const pieces = edges.slice(1).map((end, i) => ({ begin: edges[i] ?? 0, end }))
        const order = new Map(pieces.map((piece) => [piece, random.next().value]))
        pieces.sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0))
        await using writer = await SafetensorsWriter.create(path, [
          { name: 'x', dtype: 'U8', shape: [100] },
        ])
        for (const { begin, end } of pieces) {
          await writer.write('x', bytes.subarray(begin, end), { byteOffset: begin })
        }
        expect(writer.remaining).toBe(0)
        await writer.finish()
        await using file = await SafetensorsFile.open(path)
        expect(await file.read('x')).toEqual(bytes)
      }),
      runs(50),
    )
  })

  test('appends pieces without an offset in the order of the calls', async () => {
    const path = await target()
    await using writer = await SafetensorsWriter.create(path, TWO)
    const bytes = pattern(16, 3)
    await Promise.all([0, 5, 10].map((at) => writer.write('b', bytes.subarray(at, at + 5))))
    await writer.write('b', bytes.subarray(15))
    await writer.write('a', Uint8Array.of(1, 2, 3))
    await writer.finish()
    await using file = await SafetensorsFile.open(path)
    expect(await file.read('b')).toEqual(bytes)
  })

  test('lays the widest elements first and starts the data at a multiple of 8', async () => {
    const path = await target()
    await using writer = await SafetensorsWriter.create(path, TWO)
    expect([...writer.tensors.keys()]).toEqual(['b', 'a'])
    expect((writer.tensors.get('b')?.fileOffset ?? 1) % 8).toBe(0)
    await writer.write('a', new Uint8Array(3))
    await writer.write('b', new Uint8Array(16))
    await writer.finish()
    const bytes = await readFile(path)
    const header = bytes.subarray(8, writer.tensors.get('b')?.fileOffset).toString()
    expect(header.trimEnd()).toBe(
      '{"b":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"a":{"dtype":"U8","shape":[3],"data_offsets":[16,19]}}',
    )
    expect(bytes.byteLength).toBe(writer.byteLength)
  })

  test('of a file without tensors', async () => {
    const path = await target()
    await (await SafetensorsWriter.create(path, [])).finish()
    await using file = await SafetensorsFile.open(path)
    expect(file.tensors.size).toBe(0)
  })
})

describe('a file appears whole or not at all', () => {
  test('there is nothing under its name before finish', async () => {
    const path = await target()
    await using writer = await SafetensorsWriter.create(path, TWO)
    await writer.write('b', new Uint8Array(16))
    await expect(access(path)).rejects.toThrow('ENOENT')
    expect(await readdir(dirname(path))).toEqual([expect.stringMatching(/^\.safetensors-.*\.tmp$/)])
  })

  test('leaving without finish leaves nothing', async () => {
    const path = await target()
    {
      await using writer = await SafetensorsWriter.create(path, TWO)
      await writer.write('b', new Uint8Array(16))
    }
    expect(await readdir(dirname(path))).toEqual([])
  })

  test('finish refuses while bytes are missing, names the tensor, and can be tried again', async () => {
    const path = await target()
    await using writer = await SafetensorsWriter.create(path, TWO)
    await writer.write('b', new Uint8Array(16))
    await writer.write('a', new Uint8Array(2))
    const error = await refusal(() => writer.finish())
    expect(error.given).toBe('1 bytes not written, the first of tensor "a"')
    await writer.write('a', new Uint8Array(1))
    await writer.finish()
    await (await SafetensorsFile.open(path)).close()
  })

  test('finish waits for writes in flight', async () => {
    const path = await target()
    await using writer = await SafetensorsWriter.create(path, [
      { name: 'x', dtype: 'U8', shape: [1 << 22] },
    ])
    const bytes = pattern(1 << 22, 5)
    const writes = [
      writer.write('x', bytes.subarray(0, 1 << 21)),
      writer.write('x', bytes.subarray(1 << 21)),
    ]
    await writer.finish()
    await Promise.all(writes)
    await using file = await SafetensorsFile.open(path)
    expect(Buffer.compare(await file.read('x'), bytes)).toBe(0)
  })

  test.each([
    ['write', 'ENOSPC', /cannot write .*given ENOSPC.*Free space/],
    ['write', 'EDQUOT', /quota/],
    ['write', 'EIO', /given EIO.*Check the disk/],
    ['sync', 'ENOSPC', /Free space/],
  ] as const)('%s failing with %s removes the temporary file', async (method, code, message) => {
    const path = await target()
    const writer = await SafetensorsWriter.create(path, TWO)
    await writer.write('b', new Uint8Array(16))
    await failNext(method, code)
    const error = await refusal(async () => {
      await writer.write('a', new Uint8Array(3))
      await writer.finish()
    })
    expect(error.message).toMatch(message)
    expect(error.message).toContain(path)
    expect(await readdir(dirname(path))).toEqual([])
    expect((await refusal(() => writer.finish())).message).toMatch('is aborted')
  })

  test('a disk that is full when the header is written leaves nothing', async () => {
    const path = await target()
    await failNext('write', 'ENOSPC')
    await refusal(() => SafetensorsWriter.create(path, TWO))
    expect(await readdir(dirname(path))).toEqual([])
  })

  test('of two writes in flight, the failure of one ends both', async () => {
    const path = await target()
    const writer = await SafetensorsWriter.create(path, TWO)
    await failNext('write', 'ENOSPC')
    const results = await Promise.allSettled([
      writer.write('a', new Uint8Array(3)),
      writer.write('b', new Uint8Array(16)),
    ])
    expect(results.map(({ status }) => status)).toContain('rejected')
    expect(writer.aborted).toBe(true)
    expect(await readdir(dirname(path))).toEqual([])
  })

  test('a write that makes no progress ends in an error, not in a loop', async () => {
    const path = await target()
    const writer = await SafetensorsWriter.create(path, TWO)
    const handle = await open(import.meta.filename)
    vi.spyOn(Object.getPrototypeOf(handle), 'write').mockResolvedValueOnce({ bytesWritten: 0 })
    await handle.close()
    expect((await refusal(() => writer.write('a', new Uint8Array(3)))).given).toBe('ENOSPC')
  })

  test('a partial write is continued', async () => {
    const path = await target()
    await using writer = await SafetensorsWriter.create(path, TWO)
    const handle = await open(import.meta.filename)
    const prototype = Object.getPrototypeOf(handle)
    await handle.close()
    const whole = prototype.write
    vi.spyOn(prototype, 'write').mockImplementationOnce(function (
      this: unknown,
      ...args: unknown[]
    ) {
      const [bytes, offset, , position] = args
      return whole.call(this, bytes, offset, 2, position)
    })
    await writer.write('b', pattern(16, 1))
    await writer.write('a', pattern(3, 2))
    await writer.finish()
    await using file = await SafetensorsFile.open(path)
    expect(await file.read('b')).toEqual(pattern(16, 1))
  })
})

describe('an existing file', () => {
  test('is not replaced unless asked, and then only by a whole one', async () => {
    const path = await written('precious')
    const error = await refusal(() => SafetensorsWriter.create(path, TWO))
    expect(error.message).toMatch(/will not replace.*overwrite: true/)
    {
      await using writer = await SafetensorsWriter.create(path, TWO, { overwrite: true })
      await writer.write('b', new Uint8Array(16))
    }
    expect(await readFile(path, 'utf8')).toBe('precious')
    await using writer = await SafetensorsWriter.create(path, [], { overwrite: true })
    await writer.finish()
    await (await SafetensorsFile.open(path)).close()
  })

  test('that appears while writing is not replaced either', async () => {
    const path = await target()
    const writer = await SafetensorsWriter.create(path, [])
    await writeFile(path, 'precious')
    await refusal(() => writer.finish())
    expect(await readdir(dirname(path))).toEqual(['out.safetensors'])
    expect(await readFile(path, 'utf8')).toBe('precious')
  })

  test('that is a dangling link counts as existing', async () => {
    const path = await target()
    await symlink('/nowhere', path)
    expect((await refusal(() => SafetensorsWriter.create(path, []))).message).toMatch(
      'will not replace',
    )
  })
})

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

test('writeFileAtomic writes text and bytes whole, and replaces only when asked', async () => {
  const path = join(await temporaryFolder(), 'config.json')
  await writeFileAtomic(path, '{"a":"ü"}')
  expect(await readFile(path, 'utf8')).toBe('{"a":"ü"}')
  expect((await refusal(() => writeFileAtomic(path, 'x'))).message).toMatch('will not replace')
  await failNext('write', 'ENOSPC')
  await refusal(() => writeFileAtomic(path, 'x', { overwrite: true }))
  expect(await readFile(path, 'utf8')).toBe('{"a":"ü"}')
  await writeFileAtomic(path, Uint8Array.of(65), { overwrite: true })
  expect(await readFile(path, 'utf8')).toBe('A')
  expect(await readdir(dirname(path))).toEqual(['config.json'])
})

test('claimed ranges behave like a set of bytes', () => {
  const ranges = fc.array(fc.tuple(fc.nat(20), fc.nat(6)), { maxLength: 20 })
  fc.assert(
    fc.property(ranges, (claims) => {
      const set = new RangeSet()
      const taken = new Set<number>()
      for (const [begin, length] of claims) {
        const bytes = Array.from({ length }, (_, i) => begin + i)
        const free = bytes.every((byte) => !taken.has(byte))
        expect(set.claim(begin, begin + length)).toBe(free)
        if (free) for (const byte of bytes) taken.add(byte)
      }
      expect(set.total).toBe(taken.size)
      let first = 0
      while (taken.has(first)) first++
      expect(set.firstFree).toBe(first)
    }),
    runs(2000),
  )
})
