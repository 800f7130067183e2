import { chmodSync, chownSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KernelCache, kernelKey } from '@deepgemm/jit'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { entryFiles } from './support/files.js'
import { temporaryFolder } from './support/folders.js'
import { cubinOf, observedCache, specOf } from './support/kernels.js'

describe('roots', () => {
  it('that are read-only come first and are left as they are', async () => {
    const folder = temporaryFolder()
    const [shipped, own] = [join(folder, 'shipped'), join(folder, 'own')]
    await (await observedCache(shipped)).want(1)
    const before = readdirSync(join(shipped, 'v1'))
    const roots = { readOnly: [shipped], writable: own }
    const { want, compiled, events } = await observedCache(own, { roots })
    expect(await want(1)).toEqual(cubinOf(1))
    expect(await want(2)).toEqual(cubinOf(2))
    expect(compiled).toEqual([2])
    expect(events[0]).toEqual({ type: 'hit', key: kernelKey(specOf(1)), root: shipped })
    expect(readdirSync(join(shipped, 'v1'))).toEqual(before)
    expect(readdirSync(join(own, 'v1'))).toHaveLength(2)
  })

  it('with a damaged entry in a read-only root are healed by the writable one', async () => {
    const folder = temporaryFolder()
    const [shipped, own] = [join(folder, 'shipped'), join(folder, 'own')]
    await (await observedCache(shipped)).want(1)
    writeFileSync(entryFiles(shipped, 1).cubin, 'damaged')
    const roots = { readOnly: [shipped], writable: own }
    const { want, compiled, events } = await observedCache(own, { roots })
    await want(1)
    expect(await want(1)).toEqual(cubinOf(1))
    expect(compiled).toEqual([1])
    expect(events.filter((event) => event.type === 'entry-rejected')).toHaveLength(2)
  })

  it('that others may write are refused, and kernels are compiled all the same', async () => {
    const root = temporaryFolder()
    for (const mode of [0o770, 0o707]) {
      chmodSync(root, mode)
      const { cache, want, events } = await observedCache(root)
      expect(await want(1)).toEqual(cubinOf(1))
      expect(cache.path).toBeUndefined()
      expect(cache.roots[0]?.problem).toMatch(/lets other users write to it; make it yours alone/)
      expect(events[0]).toMatchObject({ type: 'root-refused', root })
      expect(readdirSync(root)).toEqual([])
    }
  })

  it.runIf(process.platform === 'linux').each(['/proc', '/proc/deepgemm/kernels'])(
    'where nothing can be made, as in %s, are refused at once',
    async (path) => {
      const { cache, want } = await observedCache(path)
      expect(cache.path).toBeUndefined()
      expect(cache.roots[0]?.problem).toMatch(/ENOENT|does not exist/)
      expect(await want(1)).toEqual(cubinOf(1))
    },
  )

  it('in a folder that any user may change are refused', async () => {
    const folder = temporaryFolder()
    mkdirSync(join(folder, 'open'))
    chmodSync(join(folder, 'open'), 0o777)
    const { cache } = await observedCache(join(folder, 'open', 'cache'))
    expect(cache.roots[0]?.problem).toMatch(/any user could replace it/)
    chmodSync(join(folder, 'open'), 0o1777)
    expect((await observedCache(join(folder, 'open', 'cache'))).cache.path).toBeDefined()
  })

  it.runIf(process.geteuid?.() === 0)('of another user are refused (as root)', async () => {
    const root = temporaryFolder()
    chownSync(root, 12345, 12345)
    const roots = { readOnly: [root], writable: root }
    const { cache } = await observedCache(root, { roots })
    for (const { problem } of cache.roots) expect(problem).toMatch(/owned by uid 12345/)
  })

  it('may be reached through a symbolic link, which is resolved once', async () => {
    const folder = temporaryFolder()
    mkdirSync(join(folder, 'big-disk'), { mode: 0o700 })
    symlinkSync(join(folder, 'big-disk'), join(folder, 'link'))
    await (await observedCache(join(folder, 'link'))).want(1)
    expect(readdirSync(join(folder, 'big-disk', 'v1'))).toHaveLength(2)
  })

  it('that are no directory or do not exist are refused with the reason', async () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'file'), '')
    const roots = { readOnly: [join(folder, 'no')], writable: join(folder, 'file') }
    const { cache, want } = await observedCache(false, { roots })
    expect(await want(1)).toEqual(cubinOf(1))
    expect(cache.roots.map(({ problem }) => problem)).toEqual([
      'it does not exist',
      expect.stringMatching(/EEXIST|not a directory/),
    ])
    await expect(cache.prune()).rejects.toThrow(/cannot prune.*no writable root/)
    await expect(cache.importBundle('x')).rejects.toThrow(/DEEPGEMM_CACHE_DIR/)
  })

  it('can be none at all', async () => {
    const { cache, want, compiled } = await observedCache(false)
    await Promise.all([want(1), want(1)])
    expect(compiled).toEqual([1])
    expect(await cache.list()).toEqual([])
  })
})

describe('a cache without a listener', () => {
  it('warns the way Node does about what a person should know', async () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'file'), '')
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    onTestFinished(() => warn.mockRestore())
    const root = join(folder, 'cache')
    const roots = { readOnly: [join(folder, 'file')], writable: root }
    const cache = await KernelCache.open({ roots, env: {} })
    const want = (): Promise<unknown> => cache.getOrCompile(specOf(1), async () => cubinOf(1))
    await want()
    writeFileSync(entryFiles(root, 1).cubin, '')
    await want()
    const small = await KernelCache.open({ roots: { writable: root }, env: {}, maxBytes: 1 })
    await small.getOrCompile(specOf(2), async () => cubinOf(2))
    expect(warn.mock.calls.map(([sentence]) => sentence)).toEqual([
      expect.stringMatching(/file is not used: it is not a directory/),
      expect.stringMatching(/is compiled anew: its cubin cannot be used: it is 0 bytes long/),
      expect.stringMatching(/compiled kernels are not kept in .*exceeds the bound of 1 bytes/),
    ])
  })
})

describe('the environment', () => {
  async function pathIn(env: NodeJS.ProcessEnv): Promise<string | undefined> {
    return (await KernelCache.open({ env, onEvent: () => undefined })).path
  }

  it('names the writable root: DEEPGEMM_CACHE_DIR, XDG_CACHE_HOME, HOME, in this order', async () => {
    const folder = temporaryFolder()
    const home = { HOME: join(folder, 'home') }
    const xdg = { ...home, XDG_CACHE_HOME: join(folder, 'xdg') }
    const own = { ...xdg, DEEPGEMM_CACHE_DIR: join(folder, 'own') }
    expect(await pathIn(home)).toBe(join(folder, 'home', '.cache', 'deepgemm'))
    expect(await pathIn(xdg)).toBe(join(folder, 'xdg', 'deepgemm'))
    expect(await pathIn(own)).toBe(join(folder, 'own'))
    expect(await pathIn({ ...home, XDG_CACHE_HOME: 'relative' })).toBe(await pathIn(home))
  })

  it('lists read-only roots in DEEPGEMM_CACHE_READONLY', async () => {
    const folder = temporaryFolder()
    const env = { DEEPGEMM_CACHE_READONLY: '/one:/two', DEEPGEMM_CACHE_DIR: folder }
    const { roots } = await KernelCache.open({ env, onEvent: () => undefined })
    expect(roots.map(({ path }) => path)).toEqual(['/one', '/two', folder])
  })

  it('bounds the size with DEEPGEMM_CACHE_MAX_BYTES, 512 MiB without', async () => {
    const base = { DEEPGEMM_CACHE_DIR: temporaryFolder() }
    expect((await KernelCache.open({ env: base })).maxBytes).toBe(2 ** 29)
    const env = { ...base, DEEPGEMM_CACHE_MAX_BYTES: '1000' }
    expect((await KernelCache.open({ env })).maxBytes).toBe(1000)
  })

  it.each([
    [
      'a relative DEEPGEMM_CACHE_DIR',
      { DEEPGEMM_CACHE_DIR: 'cache' },
      /not absolute: given "cache"/,
    ],
    ['a relative read-only root', { DEEPGEMM_CACHE_READONLY: 'a' }, /not absolute: given "a"/],
    [
      'a size with a unit',
      { DEEPGEMM_CACHE_MAX_BYTES: '1 GB' },
      /not a number of bytes: given "1 GB"/,
    ],
  ])('with %s is refused', async (_, env, message) => {
    await expect(KernelCache.open({ env })).rejects.toThrow(message)
  })

  it('is no place for misspelled options', async () => {
    const misspelled = { maxbytes: 3 } as object
    await expect(KernelCache.open(misspelled)).rejects.toThrow(/unknown option: given maxbytes/)
    const roots = { writeable: '/x' } as object
    await expect(KernelCache.open({ roots })).rejects.toThrow(/unknown option: given writeable/)
    await expect(KernelCache.open({ maxBytes: -1 })).rejects.toThrow(/maxBytes/)
  })
})
