import { readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  SafetensorsFile,
  SafetensorsWriter,
  safetensorsDTypeBytes,
  type TensorSpec,
} from '../src/index.js'
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

const TWO: readonly TensorSpec[] = [
  { name: 'a', dtype: 'U8', shape: [3] },
  { name: 'b', dtype: 'F32', shape: [2, 2] },
]

async function target(): Promise<string> {
  return join(await temporaryFolder(), 'out.safetensors')
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
