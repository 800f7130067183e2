import { access, mkdir, open, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { OptionError } from '@deepgemm/core'
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Checkpoint, CheckpointWriter, type TensorSpec } from '../src/index.js'
import { planShards } from '../src/shard-plan.js'
import { pattern, refusal, runs, sizeOf, specs, temporaryFolder } from './helpers.js'

afterEach(() => {
  vi.restoreAllMocks()
})

const SPECS: readonly TensorSpec[] = ['a', 'b', 'c'].map((name) => ({
  name,
  dtype: 'U8',
  shape: [100],
}))

async function writeAll(writer: CheckpointWriter, wanted: readonly TensorSpec[]): Promise<void> {
  for (const [i, spec] of wanted.entries()) {
    await writer.write(spec.name, pattern(sizeOf(spec), i))
  }
}

async function fullDisk(): Promise<void> {
  const handle = await open(import.meta.filename)
  const error = Object.assign(new Error('full'), { code: 'ENOSPC' })
  vi.spyOn(Object.getPrototypeOf(handle), 'write').mockRejectedValueOnce(error)
  await handle.close()
}

describe('a written checkpoint', () => {
  test('reads back, whatever the tensors, the shard size and the order of writing', async () => {
    const cases = fc.tuple(specs, fc.integer({ min: 1, max: 300 }), fc.infiniteStream(fc.nat()))
    await fc.assert(
      fc.asyncProperty(cases, async ([wanted, maxShardBytes, random]) => {
        const folder = join(await temporaryFolder(), 'made', 'here')
        const writer = await CheckpointWriter.create(folder, wanted, { maxShardBytes })
        const order = wanted
          .map((spec, i) => ({ spec, i, key: random.next().value }))
          .sort((x, y) => x.key - y.key)
        for (const { spec, i } of order) await writer.write(spec.name, pattern(sizeOf(spec), i))
        expect(writer.remaining).toBe(0)
        await writer.finish()
        await using checkpoint = await Checkpoint.open(folder)
        expect(new Set(checkpoint.names)).toEqual(new Set(wanted.map(({ name }) => name)))
        expect(checkpoint.totalBytes).toBe(writer.totalBytes)
        for (const [i, { name, dtype, shape }] of wanted.entries()) {
          expect(checkpoint.entry(name)).toMatchObject({ dtype, shape })
          expect(await checkpoint.read(name)).toEqual(pattern(checkpoint.entry(name).byteLength, i))
        }
      }),
      runs(100),
    )
  })

  test('has the names and the index that other loaders expect', async () => {
    const folder = await temporaryFolder()
    await using writer = await CheckpointWriter.create(folder, SPECS, { maxShardBytes: 200 })
    await writeAll(writer, SPECS)
    await writer.finish()
    expect((await readdir(folder)).sort()).toEqual([
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
    ])
    const index = await readFile(join(folder, 'model.safetensors.index.json'), 'utf8')
    expect(JSON.parse(index)).toEqual({
      metadata: { total_size: 300 },
      weight_map: {
        a: 'model-00001-of-00002.safetensors',
        b: 'model-00001-of-00002.safetensors',
        c: 'model-00002-of-00002.safetensors',
      },
    })
    await using checkpoint = await Checkpoint.open(folder)
    expect([...(checkpoint.shards[0]?.file.metadata ?? [])]).toEqual([['format', 'pt']])
  })

  test('is one model.safetensors when it fits', async () => {
    const folder = await temporaryFolder()
    await using writer = await CheckpointWriter.create(folder, SPECS)
    await writeAll(writer, SPECS)
    await writer.finish()
    expect(await readdir(folder)).toEqual(['model.safetensors'])
  })
})

test('shards are filled in order, as full as they may be, and a large tensor has its own', () => {
  const sized = [50, 60, 40, 500, 1, 0].map((byteLength, i) => ({
    name: String(i),
    dtype: 'U8' as const,
    shape: [byteLength],
    byteLength,
  }))
  const plan = planShards(sized, 100).map((shard) => shard.specs.map(({ name }) => name).join())
  expect(plan).toEqual(['0', '1,2', '3', '4,5'])
})

describe('a checkpoint appears whole or not at all', () => {
  test('before finish nothing in the folder reads as one', async () => {
    const folder = await temporaryFolder()
    await using writer = await CheckpointWriter.create(folder, SPECS, { maxShardBytes: 100 })
    await writeAll(writer, SPECS)
    expect((await readdir(folder)).every((name) => name.endsWith('.tmp'))).toBe(true)
    await refusal(() => Checkpoint.open(folder))
  })

  test('abort removes everything, the folder included when it was made for it', async () => {
    const parent = await temporaryFolder()
    const folder = join(parent, 'out')
    {
      await using writer = await CheckpointWriter.create(folder, SPECS, { maxShardBytes: 100 })
      await writer.write('a', new Uint8Array(100))
      await writer.write('b', new Uint8Array(50))
    }
    expect(await readdir(parent)).toEqual([])
    const given = await temporaryFolder()
    await writeFile(join(given, 'config.json'), '{}')
    await (await CheckpointWriter.create(given, SPECS)).abort()
    expect(await readdir(given)).toEqual(['config.json'])
  })

  test('a full disk in a later shard removes the earlier ones too', async () => {
    const folder = await temporaryFolder()
    const writer = await CheckpointWriter.create(folder, SPECS, { maxShardBytes: 100 })
    await writer.write('a', new Uint8Array(100))
    await writer.write('b', new Uint8Array(1))
    await fullDisk()
    const error = await refusal(() => writer.write('b', new Uint8Array(99)))
    expect(error.message).toMatch(/00002-of-00003.*Free space/s)
    expect(await readdir(folder)).toEqual([])
    expect((await refusal(() => writer.finish())).message).toMatch('is aborted')
  })

  test('a shard that cannot be begun ends the checkpoint', async () => {
    const folder = await temporaryFolder()
    const writer = await CheckpointWriter.create(folder, SPECS, { maxShardBytes: 100 })
    await writer.write('a', new Uint8Array(100))
    await fullDisk()
    await refusal(() => writer.write('b', new Uint8Array(1)))
    expect(await readdir(folder)).toEqual([])
  })

  test('a failure while the index is written removes the shards that have their names', async () => {
    const folder = await temporaryFolder()
    const writer = await CheckpointWriter.create(folder, SPECS, { maxShardBytes: 100 })
    await writeAll(writer, SPECS)
    await fullDisk()
    expect((await refusal(() => writer.finish())).message).toMatch('index.json')
    expect(await readdir(folder)).toEqual([])
  })

  test('finish refuses while bytes are missing and can be tried again', async () => {
    const folder = await temporaryFolder()
    await using writer = await CheckpointWriter.create(folder, SPECS, { maxShardBytes: 100 })
    await writer.write('a', new Uint8Array(100))
    await writer.write('b', new Uint8Array(99))
    expect((await refusal(() => writer.finish())).message).toMatch(/1 bytes not written.*"b"/)
    await writer.write('b', new Uint8Array(1))
    expect((await refusal(() => writer.finish())).message).toMatch(/100 bytes not written.*"c"/)
    await writer.write('c', new Uint8Array(100))
    await writer.finish()
    await (await Checkpoint.open(folder)).close()
  })
})

describe('a checkpoint that is already there', () => {
  async function existing(): Promise<string> {
    const folder = await temporaryFolder()
    await using writer = await CheckpointWriter.create(folder, SPECS, { maxShardBytes: 100 })
    await writeAll(writer, SPECS)
    await writer.finish()
    return folder
  }

  test('is not replaced unless asked', async () => {
    const error = await refusal(async () => CheckpointWriter.create(await existing(), SPECS))
    expect(error.message).toMatch(/will not replace the checkpoint.*overwrite: true/)
  })

  test('is replaced whole: no old shard or index remains', async () => {
    const folder = await existing()
    await writeFile(join(folder, 'tokenizer.json'), '{}')
    await using writer = await CheckpointWriter.create(folder, SPECS, { overwrite: true })
    await writeAll(writer, SPECS)
    await (await Checkpoint.open(folder)).close()
    await writer.finish()
    expect((await readdir(folder)).sort()).toEqual(['model.safetensors', 'tokenizer.json'])
    await using again = await CheckpointWriter.create(folder, SPECS, {
      overwrite: true,
      maxShardBytes: 200,
    })
    await writeAll(again, SPECS)
    await again.finish()
    await using checkpoint = await Checkpoint.open(folder)
    expect(checkpoint.shards).toHaveLength(2)
  })

  test('survives a replacement that fails', async () => {
    const folder = await existing()
    const writer = await CheckpointWriter.create(folder, SPECS, { overwrite: true })
    await writer.write('a', new Uint8Array(1))
    await fullDisk()
    await refusal(() => writer.write('a', new Uint8Array(99)))
    await using checkpoint = await Checkpoint.open(folder)
    expect(checkpoint.names).toEqual(['a', 'b', 'c'])
  })
})

describe('what cannot be written is refused with a sentence', () => {
  test.each<[string, readonly TensorSpec[], object, RegExp]>([
    ['a name twice', [...SPECS, ...SPECS], {}, /"a" twice/],
    ['more than the disk has free', [{ name: 'x', dtype: 'U8', shape: [2 ** 52] }], {}, /no space/],
    [
      'too many shards',
      Array.from({ length: 8193 }, (_, i) => ({ name: String(i), dtype: 'U8', shape: [1] })),
      { maxShardBytes: 1 },
      /too many shards.*Raise maxShardBytes/,
    ],
    ['metadata that is not text', SPECS, { metadata: { a: 1 } }, /metadata/],
  ])('%s', async (_, wanted, options, message) => {
    const folder = join(await temporaryFolder(), 'out')
    const error = await refusal(() => CheckpointWriter.create(folder, wanted, options))
    expect(error.message).toMatch(message)
    await expect(access(folder)).rejects.toThrow('ENOENT')
  })

  test('a shard size that is not a size, and a misspelled option', async () => {
    const folder = await temporaryFolder()
    for (const options of [{ maxShardBytes: 0 }, { maxShardBytes: '5GB' }, { maxShardSize: 5 }]) {
      await expect(CheckpointWriter.create(folder, SPECS, options as never)).rejects.toThrow(
        OptionError,
      )
    }
  })

  test('a folder that is a file or cannot be made', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'file'), '')
    const paths = [join(folder, 'file'), join(folder, 'file', 'x'), '/proc/none']
    for (const path of paths) {
      expect((await refusal(() => CheckpointWriter.create(path, SPECS))).message).toMatch(
        'make the folder',
      )
    }
  })

  test('a wrong argument to write, after which the writer is still usable', async () => {
    const folder = await temporaryFolder()
    await mkdir(folder, { recursive: true })
    await using writer = await CheckpointWriter.create(folder, SPECS)
    expect((await refusal(() => writer.write('x', new Uint8Array(1)))).message).toMatch(
      'not announced',
    )
    await refusal(() => writer.write('a', new Uint8Array(101)))
    await writeAll(writer, SPECS)
    await writer.finish()
    expect((await refusal(() => writer.finish())).message).toMatch('is finished')
  })
})
