import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DisposedError, OptionError } from '@deepgemm/core'
import { describe, expect, test } from 'vitest'
import { Checkpoint } from '../src/index.js'
import { parseIndex } from '../src/index-file.js'
import { entryText, rawFile, refusal, temporaryFolder } from './helpers.js'

const A = rawFile(`{"a":${entryText('U8', '[4]', '[0,4]')}}`, 4)
const BC = rawFile(
  `{"b":${entryText('I16', '[2,1]', '[0,4]')},"c":${entryText('U8', '[1]', '[4,5]')}}`,
  5,
)
const FIRST = 'model-00001-of-00002.safetensors'
const SECOND = 'model-00002-of-00002.safetensors'
const MAP = { a: FIRST, b: SECOND, c: SECOND }

function indexOf(map: object): string {
  return JSON.stringify({ metadata: { total_size: 9.0 }, weight_map: map })
}

/** A folder with two shards and an index; `files` adds to them or replaces them, null removes. */
async function sharded(files: Record<string, string | Uint8Array | null> = {}): Promise<string> {
  const folder = await temporaryFolder()
  const all = { [FIRST]: A, [SECOND]: BC, 'model.safetensors.index.json': indexOf(MAP), ...files }
  for (const [name, content] of Object.entries(all)) {
    if (content !== null) await writeFile(join(folder, name), content)
  }
  return folder
}

async function single(config?: string): Promise<string> {
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'model.safetensors'), A)
  if (config !== undefined) await writeFile(join(folder, 'config.json'), config)
  return folder
}

describe('a sharded checkpoint', () => {
  test('reads as one set of tensors', async () => {
    await using checkpoint = await Checkpoint.open(await sharded())
    expect(checkpoint.names).toEqual(['a', 'b', 'c'])
    expect(checkpoint.shards.map(({ name }) => name)).toEqual([FIRST, SECOND])
    expect(checkpoint.entry('b')).toMatchObject({ dtype: 'I16', shape: [2, 1], shard: SECOND })
    expect(checkpoint.totalBytes).toBe(9)
    expect(await checkpoint.read('a')).toEqual(Uint8Array.of(0, 1, 2, 3))
    expect(await checkpoint.read('c')).toEqual(Uint8Array.of(4))
    expect(await checkpoint.readRows('b', 1, 2)).toEqual(Uint8Array.of(2, 3))
    const chunks: number[][] = []
    for await (const chunk of checkpoint.chunks('a', { chunkBytes: 3 })) chunks.push([...chunk])
    expect(chunks).toEqual([[0, 1, 2], [3]])
    expect(checkpoint.config).toBeUndefined()
    expect(checkpoint.quantization).toBeUndefined()
  })

  test('is of no use after close', async () => {
    const checkpoint = await Checkpoint.open(await sharded())
    await checkpoint.close()
    await checkpoint.close()
    await expect(checkpoint.read('a')).rejects.toThrow(DisposedError)
  })

  test('says which name is not in it', async () => {
    await using checkpoint = await Checkpoint.open(await sharded())
    expect((await refusal(() => checkpoint.read('d'))).message).toMatch(
      /given "d"; allowed one of its 3/,
    )
  })

  test.each<[string, Record<string, string | Uint8Array | null>, RegExp]>([
    [
      'a missing shard',
      { [SECOND]: null },
      /not complete: given 1 of 2 shards missing, the first "model-00002/,
    ],
    ['a damaged shard', { [SECOND]: BC.subarray(0, BC.length - 1) }, /00002.* is truncated/],
    [
      'a tensor that its shard has not',
      { 'model.safetensors.index.json': indexOf({ ...MAP, d: FIRST }) },
      /tensor "d" .* is missing/,
    ],
    [
      'a tensor in another shard than said',
      { 'model.safetensors.index.json': indexOf({ ...MAP, b: FIRST }) },
      /tensor "b" .* is missing/,
    ],
    [
      'a tensor that the index has not',
      { 'model.safetensors.index.json': indexOf({ a: FIRST, b: SECOND }) },
      /tensor "c" .* is not in the index/,
    ],
    [
      'a tensor in two shards',
      { [FIRST]: BC, 'model.safetensors.index.json': indexOf({ b: FIRST, c: SECOND }) },
      /is not in the index/,
    ],
    ['both forms at once', { 'model.safetensors': A }, /both model.safetensors and/],
    [
      'an index that is not JSON',
      { 'model.safetensors.index.json': '{' },
      /is not valid: given text in which/,
    ],
    [
      'an index that is not an object',
      { 'model.safetensors.index.json': '[]' },
      /JSON that is not an object/,
    ],
    [
      'an index with a tensor twice',
      { 'model.safetensors.index.json': `{"weight_map":{"a":"${FIRST}","a":"${SECOND}"}}` },
      /"a" appears twice/,
    ],
    [
      'an index that is not UTF-8',
      { 'model.safetensors.index.json': Uint8Array.of(0x22, 0xff, 0x22) },
      /not UTF-8/,
    ],
    ['a config that is not JSON', { 'config.json': 'x' }, /config.json.* is not valid/],
    ['a config with a key twice', { 'config.json': '{"a":1,"a":2}' }, /"a" appears twice/],
    [
      'a config that is nested too deep',
      { 'config.json': '['.repeat(1e6) },
      /nested more than 32 deep/,
    ],
    ['a config that is too long', { 'config.json': ' '.repeat(16_000_001) }, /is too long/],
  ])('is refused for %s', async (_, files, message) => {
    const folder = await sharded(files)
    expect((await refusal(() => Checkpoint.open(folder))).message).toMatch(message)
  })
})

describe('an index', () => {
  test.each([
    '../other.safetensors',
    '/etc/model.safetensors',
    'sub/model.safetensors',
    'sub\\model.safetensors',
    'C:model.safetensors',
    '..',
    '.',
    '',
    '.hidden.safetensors',
    'a\u0000.safetensors',
    'a\n.safetensors',
    'model.bin',
    'pytorch_model.safetensors.bin',
    `${'x'.repeat(300)}.safetensors`,
    5,
    null,
    { a: 1 },
  ])('that names the shard %j is refused', async (shard) => {
    const text = JSON.stringify({ weight_map: { w: shard } })
    const error = await refusal(() => parseIndex(text, 'index'))
    expect(error.message).toMatch(/names an unsafe shard for "w"/)
  })

  test('without a weight_map is refused', async () => {
    expect((await refusal(() => parseIndex('{}', 'index'))).message).toMatch('no object weight_map')
    await refusal(() => parseIndex('{"weight_map":[]}', 'index'))
  })

  test('of too many tensors or shards is refused', async () => {
    const map = (count: number): string =>
      `{"weight_map":{${Array.from({ length: count }, (_, i) => `"${i}":"${i}.safetensors"`).join(',')}}}`
    expect((await refusal(() => parseIndex(map(8193), 'index'))).message).toMatch('too many shards')
    const many = (await refusal(() => parseIndex(map(530_000), 'index'))).message
    expect(many).toMatch(/more than \d+ keys/)
  })

  test('treats names that mean something to JavaScript as names', () => {
    const map = parseIndex('{"weight_map":{"__proto__":"m.safetensors"}}', 'index')
    expect([...map]).toEqual([['__proto__', 'm.safetensors']])
  })
})

describe('a folder', () => {
  test('with one model.safetensors is a checkpoint, and so is a file by itself', async () => {
    const folder = await single('{"hidden_size":128,"x":{"y":[1,2.5]}}')
    await using checkpoint = await Checkpoint.open(folder)
    expect(checkpoint.names).toEqual(['a'])
    expect(checkpoint.config).toEqual({ hidden_size: 128, x: { y: [1, 2.5] } })
    await using file = await Checkpoint.open(join(folder, 'model.safetensors'))
    expect(await file.read('a')).toEqual(Uint8Array.of(0, 1, 2, 3))
    expect(file.config).toBeUndefined()
  })

  test('without a checkpoint says what it has instead', async () => {
    const folder = await temporaryFolder()
    expect((await refusal(() => Checkpoint.open(folder))).message).toMatch(
      /its safetensors files: none/,
    )
    await writeFile(join(folder, 'other.safetensors'), A)
    expect((await refusal(() => Checkpoint.open(folder))).message).toMatch(/"other.safetensors"/)
  })

  test('that is missing is refused with a remedy', async () => {
    const path = join(await temporaryFolder(), 'none')
    expect((await refusal(() => Checkpoint.open(path))).message).toMatch(/ENOENT.*typing error/)
  })

  test('takes no misspelled option', async () => {
    await expect(Checkpoint.open('.', { link: 'inside' } as never)).rejects.toThrow(OptionError)
    await expect(Checkpoint.open('.', { links: 'any' } as never)).rejects.toThrow(OptionError)
  })
})

describe.skipIf(process.platform === 'win32')('links', () => {
  async function linked(target: (folder: string) => Promise<string>): Promise<string> {
    const folder = await single()
    const to = await target(folder)
    await rename(join(folder, 'model.safetensors'), to)
    await symlink(to, join(folder, 'model.safetensors'))
    return folder
  }

  test('out of the folder are refused unless the caller trusts them', async () => {
    const folder = await linked(async () => join(await temporaryFolder(), 'weights'))
    const error = await refusal(() => Checkpoint.open(folder))
    expect(error.message).toMatch(/is a link out of the checkpoint.*links: 'anywhere'/)
    await using trusted = await Checkpoint.open(folder, { links: 'anywhere' })
    expect(trusted.names).toEqual(['a'])
    await using named = await Checkpoint.open(join(folder, 'model.safetensors'))
    expect(named.names).toEqual(['a'])
  })

  test('to a folder whose name only begins alike are refused', async () => {
    const folder = await linked(async (here) => {
      await mkdir(`${here}-evil`)
      return join(`${here}-evil`, 'weights')
    })
    await refusal(() => Checkpoint.open(folder))
    await rm(`${folder}-evil`, { recursive: true })
  })

  test('inside the folder are followed', async () => {
    const folder = await linked(async (here) => join(here, 'weights'))
    await using checkpoint = await Checkpoint.open(folder)
    expect(checkpoint.names).toEqual(['a'])
  })

  test('of a config out of the folder are refused too', async () => {
    const folder = await single()
    await symlink('/etc/hostname', join(folder, 'config.json'))
    expect((await refusal(() => Checkpoint.open(folder))).message).toMatch('link out of')
  })

  test('that lead nowhere are refused', async () => {
    const folder = await single()
    await symlink(join(folder, 'none'), join(folder, 'config.json'))
    expect((await refusal(() => Checkpoint.open(folder))).message).toMatch('ENOENT')
  })

  test('of a Hugging Face cache lead into its blobs and nowhere else', async () => {
    const cache = await temporaryFolder()
    const snapshot = join(cache, 'models--x--y', 'snapshots', 'abc123')
    const blobs = join(cache, 'models--x--y', 'blobs')
    await mkdir(snapshot, { recursive: true })
    await mkdir(blobs)
    await writeFile(join(blobs, 'd1ge57'), A)
    await symlink('../../blobs/d1ge57', join(snapshot, 'model.safetensors'))
    await (await Checkpoint.open(snapshot)).close()
    await writeFile(join(cache, 'outside'), '{}')
    await symlink('../../../outside', join(snapshot, 'config.json'))
    await refusal(() => Checkpoint.open(snapshot))
  })
})
