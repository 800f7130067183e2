import { existsSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { kernelKey } from '@deepgemm/jit'
import { describe, expect, it } from 'vitest'
import { entryFiles, leftovers } from './support/files.js'
import { temporaryFolder } from './support/folders.js'
import { cubinOf, observedCache, specOf } from './support/kernels.js'

/** Sets when a kernel was last used, in seconds from now. */
function setLastUse(root: string, number: number, seconds: number): void {
  const at = Date.now() / 1000 + seconds
  utimesSync(entryFiles(root, number).manifest, at, at)
}

function present(root: string, numbers: readonly number[]): readonly number[] {
  return numbers.filter((number) => existsSync(entryFiles(root, number).manifest))
}

/** Bytes that one entry of these tests occupies: cubin and manifest. */
async function entryBytes(): Promise<number> {
  const { want, cache } = await observedCache(join(temporaryFolder(), 'cache'))
  await want(1)
  const { bytes } = await cache.verify()
  return bytes
}

describe('the size bound', () => {
  it('removes what was used longest ago, never what was just published', async () => {
    const root = join(temporaryFolder(), 'cache')
    const maxBytes = 3 * (await entryBytes()) + 10
    const { want, events } = await observedCache(root, { maxBytes })
    for (const number of [1, 2, 3]) await want(number)
    setLastUse(root, 1, -30)
    setLastUse(root, 2, -20)
    setLastUse(root, 3, -10)
    await want(1)
    await want(4)
    expect(present(root, [1, 2, 3, 4])).toEqual([1, 3, 4])
    const evicted = events.filter((event) => event.type === 'evicted')
    expect(evicted.map(({ key }) => key)).toEqual([kernelKey(specOf(2))])
  })

  it('spares the new kernel even when the others seem to be used later', async () => {
    const root = join(temporaryFolder(), 'cache')
    const { want } = await observedCache(root, { maxBytes: 2 * (await entryBytes()) + 10 })
    for (const number of [1, 2]) {
      await want(number)
      setLastUse(root, number, 0.9)
    }
    await want(3)
    expect(present(root, [3])).toEqual([3])
  })

  it('holds after any number of kernels', async () => {
    const root = join(temporaryFolder(), 'cache')
    const maxBytes = 4 * (await entryBytes()) + 10
    const { want, cache } = await observedCache(root, { maxBytes })
    for (let number = 0; number < 9; number += 1) await want(number)
    expect(await cache.list()).toHaveLength(4)
    expect((await cache.verify()).bytes).toBeLessThanOrEqual(maxBytes)
    expect(leftovers(root)).toEqual([])
  })

  it('keeps a kernel larger than itself out of the cache, and says so', async () => {
    const root = join(temporaryFolder(), 'cache')
    const { want, events } = await observedCache(root, { maxBytes: 100 })
    expect(await want(1)).toEqual(cubinOf(1))
    expect(events.at(-1)).toMatchObject({ type: 'unwritable', reason: /256 bytes exceeds .* 100/ })
    expect(readdirSync(join(root, 'v1'))).toEqual([])
  })

  it('does not keep entries for ever because the clock was moved back', async () => {
    const root = join(temporaryFolder(), 'cache')
    const maxBytes = 2 * (await entryBytes()) + 10
    const { want } = await observedCache(root, { maxBytes })
    await want(1)
    await want(2)
    setLastUse(root, 1, 86_400)
    await want(3)
    // Kernel 1 now counts as used at this moment, on disk too, and no longer as used tomorrow.
    expect(statSync(entryFiles(root, 1).manifest).mtimeMs).toBeLessThanOrEqual(Date.now() + 1000)
    setLastUse(root, 1, -10)
    await want(4)
    expect(present(root, [1, 2, 3, 4])).toEqual([3, 4])
  })
})

describe('pruning', () => {
  it('removes by size and by time without use', async () => {
    const root = join(temporaryFolder(), 'cache')
    const { want, cache } = await observedCache(root)
    for (const number of [1, 2, 3]) await want(number)
    setLastUse(root, 1, -100)
    setLastUse(root, 2, -50)
    const byAge = await cache.prune({ unusedForMs: 70_000 })
    expect(byAge.evicted.map(({ key }) => key)).toEqual([kernelKey(specOf(1))])
    const bySize = await cache.prune({ maxBytes: byAge.keptBytes - 1 })
    expect(bySize.evicted.map(({ key }) => key)).toEqual([kernelKey(specOf(2))])
    expect((await cache.prune({ maxBytes: 0 })).keptBytes).toBe(0)
    expect(readdirSync(join(root, 'v1'))).toEqual([])
  })

  it('leaves a kernel that is being compiled alone', async () => {
    const root = join(temporaryFolder(), 'cache')
    const { want, cache } = await observedCache(root)
    await want(1)
    const lock = entryFiles(root, 1).manifest.replace(/json$/, 'lock')
    writeFileSync(lock, '')
    expect((await cache.prune({ maxBytes: 0 })).evicted).toEqual([])
    expect(present(root, [1])).toEqual([1])
  })

  it('removes halves of entries and files that crashed processes left', async () => {
    const root = join(temporaryFolder(), 'cache')
    const { cache } = await observedCache(root)
    const abandoned = join(root, 'v1', 'tmp-00000000-1-0123456789abcdef')
    writeFileSync(abandoned, 'half')
    await cache.prune()
    expect(existsSync(abandoned)).toBe(true)
    const hoursAgo = Date.now() / 1000 - 7200
    utimesSync(abandoned, hoursAgo, hoursAgo)
    writeFileSync(entryFiles(root, 1).cubin, 'without a manifest')
    writeFileSync(join(root, 'v1', 'notes.txt'), 'not ours')
    expect((await cache.list())[0]?.problem).toBe('its manifest is missing')
    await cache.prune({ maxBytes: 0 })
    expect(readdirSync(join(root, 'v1'))).toEqual(['notes.txt'])
  })

  it('refuses options that do not exist or make no sense', async () => {
    const { cache } = await observedCache(join(temporaryFolder(), 'cache'))
    await expect(cache.prune({ maxbytes: 1 } as object)).rejects.toThrow(
      /unknown option: given maxbytes/,
    )
    await expect(cache.prune({ maxBytes: 0.5 })).rejects.toThrow(/given 0.5/)
  })
})

describe('verifying and listing', () => {
  it('name every entry that is not sound, and remove it if asked to', async () => {
    const root = join(temporaryFolder(), 'cache')
    const { want, cache } = await observedCache(root)
    for (const number of [1, 2, 3]) await want(number)
    writeFileSync(entryFiles(root, 2).cubin, cubinOf(9))
    writeFileSync(entryFiles(root, 3).manifest, '{}')
    const keys = [2, 3].map((number) => kernelKey(specOf(number))).sort()
    const report = await cache.verify()
    expect(report).toMatchObject({ checked: 3, removed: [] })
    expect(report.problems.map(({ key }) => key)).toEqual(keys)
    expect((await cache.verify({ remove: true })).removed).toEqual(keys)
    expect(await cache.verify()).toMatchObject({ checked: 1, problems: [] })
  })

  it('tell what each kernel is', async () => {
    const root = join(temporaryFolder(), 'cache')
    const { want, cache } = await observedCache(root)
    await want(1)
    const [listing] = await cache.list()
    expect(listing).toMatchObject({ root, writable: true, problem: undefined })
    expect(listing?.manifest).toMatchObject({ entryName: 'kernel', target: 'sm_90a' })
    expect(Date.now() - (listing?.lastUsed.getTime() ?? 0)).toBeLessThan(60_000)
  })
})
