import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { CacheError } from '@deepgemm/core'
import { kernelKey } from '@deepgemm/jit'
import { describe, expect, it } from 'vitest'
import { entryFiles, leftovers } from './support/files.js'
import { temporaryFolder } from './support/folders.js'
import { cubinOf, type Observed, observedCache, specOf } from './support/kernels.js'

async function bundleOf(numbers: readonly number[]): Promise<{ folder: string; path: string }> {
  const folder = temporaryFolder()
  const { want, cache } = await observedCache(join(folder, 'source'))
  for (const number of numbers) await want(number)
  const path = join(folder, 'kernels.bundle')
  await cache.exportBundle(path)
  return { folder, path }
}

async function emptyCache(folder: string): Promise<Observed & { root: string }> {
  const root = join(folder, 'target')
  return { ...(await observedCache(root)), root }
}

describe('a bundle', () => {
  it('brings every kernel to another cache', async () => {
    const { folder, path } = await bundleOf([1, 2, 3])
    const { cache, want, compiled, root } = await emptyCache(folder)
    const keys = [1, 2, 3].map((number) => kernelKey(specOf(number))).sort()
    expect(await cache.importBundle(path)).toEqual({ imported: keys, alreadyPresent: [] })
    for (const number of [1, 2, 3]) expect(await want(number)).toEqual(cubinOf(number))
    expect(compiled).toEqual([])
    expect((await cache.verify()).problems).toEqual([])
    expect(leftovers(root)).toEqual([])
    expect(await cache.importBundle(path)).toEqual({ imported: [], alreadyPresent: keys })
  })

  it('of the same kernels is the same file', async () => {
    const { folder, path } = await bundleOf([1, 2])
    const { cache } = await emptyCache(folder)
    await cache.importBundle(path)
    const again = join(folder, 'again.bundle')
    const { bytes, skipped } = await cache.exportBundle(again)
    expect(readFileSync(again)).toEqual(readFileSync(path))
    expect([bytes, skipped]).toEqual([readFileSync(path).length, []])
  })

  it('of an empty cache is empty', async () => {
    const { folder, path } = await bundleOf([])
    const { cache } = await emptyCache(folder)
    expect(await cache.importBundle(path)).toEqual({ imported: [], alreadyPresent: [] })
  })

  it('leaves damaged entries out and names them', async () => {
    const folder = temporaryFolder()
    const root = join(folder, 'source')
    const { want, cache } = await observedCache(root)
    await want(1)
    await want(2)
    copyFileSync(entryFiles(root, 2).cubin, entryFiles(root, 1).cubin)
    const { exported, skipped } = await cache.exportBundle(join(folder, 'b'))
    expect(exported).toEqual([kernelKey(specOf(2))])
    expect(skipped).toEqual([
      { key: kernelKey(specOf(1)), root, reason: expect.stringMatching(/digest/) },
    ])
  })

  it('replaces an entry that is damaged in the cache', async () => {
    const { folder, path } = await bundleOf([1])
    const { cache, want, root } = await emptyCache(folder)
    await want(1)
    writeFileSync(entryFiles(root, 1).cubin, 'damaged')
    expect((await cache.importBundle(path)).imported).toHaveLength(1)
    expect((await cache.verify()).problems).toEqual([])
  })

  it('with any one byte changed is refused as a whole', async () => {
    const { folder, path } = await bundleOf([1, 2])
    const { cache, root } = await emptyCache(folder)
    const original = readFileSync(path)
    for (let at = 0; at < original.length; at += 1) {
      const changed = Buffer.from(original)
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8))
      writeFileSync(path, changed)
      const refusal = cache.importBundle(path)
      await expect(refusal, `byte ${at}`).rejects.toThrow(CacheError)
    }
    expect(readdirSync(join(root, 'v1'))).toEqual([])
  })

  it('cut short or with something behind its end is refused', async () => {
    const { folder, path } = await bundleOf([1])
    const { cache } = await emptyCache(folder)
    const original = readFileSync(path)
    for (const length of [0, 1, 17, 30, original.length - 1]) {
      writeFileSync(path, original.subarray(0, length))
      await expect(cache.importBundle(path)).rejects.toThrow(/bundle is damaged/)
    }
    writeFileSync(path, Buffer.concat([original, Buffer.from([0])]))
    await expect(cache.importBundle(path)).rejects.toThrow(/its index says/)
  })

  it.each([
    ['a huge index', 'deepgemm-bundle 1 9999999999\n[]', /would have 9999999999 bytes/],
    ['another version', 'deepgemm-bundle 2 2\n[]', /does not begin as a bundle/],
    ['an index that is no JSON', 'deepgemm-bundle 1 2\n[}', /not JSON/],
    ['an index that is no list', 'deepgemm-bundle 1 2\n{}', /no list/],
    ['a row that is no pair', 'deepgemm-bundle 1 3\n[1]', /malformed/],
  ])('with %s is refused', async (_, text, message) => {
    const { folder, path } = await bundleOf([])
    const { cache } = await emptyCache(folder)
    writeFileSync(path, text)
    await expect(cache.importBundle(path)).rejects.toThrow(message)
  })

  it('with a path for a key or with one key twice is refused', async () => {
    const { folder, path } = await bundleOf([])
    const { cache } = await emptyCache(folder)
    const refuse = async (index: unknown, message: RegExp): Promise<void> => {
      const body = JSON.stringify(index)
      writeFileSync(path, `deepgemm-bundle 1 ${body.length}\n${body}`)
      await expect(cache.importBundle(path)).rejects.toThrow(message)
    }
    await refuse([['../../../etc/passwd', '']], /malformed/)
    const source = await observedCache(join(folder, 'source'))
    await source.want(1)
    const row = [
      kernelKey(specOf(1)),
      readFileSync(entryFiles(join(folder, 'source'), 1).manifest, 'utf8'),
    ]
    await refuse([row, row], /twice/)
  })

  it('appears whole or not at all', async () => {
    const folder = temporaryFolder()
    const { cache, want } = await observedCache(join(folder, 'cache'))
    await want(1)
    const missing = join(folder, 'no', 'bundle')
    await expect(cache.exportBundle(missing)).rejects.toThrow(/could not be written.*ENOENT/)
    mkdirSync(join(folder, 'taken'))
    await expect(cache.exportBundle(join(folder, 'taken'))).rejects.toThrow(/could not be written/)
    expect(readdirSync(folder).sort()).toEqual(['cache', 'taken'])
    expect(existsSync(missing)).toBe(false)
  })

  it('that is no file is refused', async () => {
    const { folder } = await bundleOf([])
    const { cache } = await emptyCache(folder)
    await expect(cache.importBundle(folder)).rejects.toThrow(/not a regular file/)
    await expect(cache.importBundle(join(folder, 'no'))).rejects.toThrow(/ENOENT/)
  })
})
