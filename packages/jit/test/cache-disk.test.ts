import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { runChild } from './support/children.js'
import { type Call, faultyFs, systemError } from './support/faulty-fs.js'
import { leftovers } from './support/files.js'
import { temporaryFolder } from './support/folders.js'
import { cubinOf, observedCache } from './support/kernels.js'

const calls = [
  ...(['open', 'write', 'sync', 'stat', 'lstat'] as const),
  ...(['mkdir', 'readdir', 'realpath', 'rename', 'unlink', 'utimes'] as const),
]

describe('a disk that fails', () => {
  it.each<[string, Call]>([
    ['ENOSPC', 'write'],
    ['EDQUOT', 'write'],
    ['EIO', 'sync'],
    ['EROFS', 'open'],
    ['EACCES', 'open'],
    ['EPERM', 'rename'],
  ])('with %s in %s keeps no kernel, says so once and returns every kernel', async (code, call) => {
    const root = join(temporaryFolder(), 'cache')
    const fs = faultyFs((name, path) =>
      name === call && /tmp-|lock$/.test(path) ? systemError(code, 'as told') : undefined,
    )
    const { want, events, compiled } = await observedCache(root, { fs })
    for (const number of [1, 2, 3]) expect(await want(number)).toEqual(cubinOf(number))
    expect(compiled).toEqual([1, 2, 3])
    const warnings = events.filter((event) => event.type === 'unwritable')
    expect(warnings).toEqual([
      { type: 'unwritable', root, reason: expect.stringContaining(`${code}: as told`) },
    ])
    expect(leftovers(root)).toEqual([])
  })

  it('at any call and at any moment neither fails a kernel nor gives a wrong one', async () => {
    const faults = fc.record({
      call: fc.constantFrom(...calls),
      after: fc.nat(12),
      times: fc.nat(3),
    })
    await fc.assert(
      fc.asyncProperty(faults, async ({ call, after, times }) => {
        const root = join(temporaryFolder(), 'cache')
        let seen = 0
        const fs = faultyFs((name) => {
          if (name !== call) return undefined
          seen += 1
          return seen > after && seen <= after + times ? systemError('EIO', 'as told') : undefined
        })
        const faulty = await observedCache(root, { fs, staleLockMs: 50 })
        for (const number of [1, 2, 1]) expect(await faulty.want(number)).toEqual(cubinOf(number))
        const sound = await observedCache(root, { staleLockMs: 50 })
        for (const number of [1, 2]) expect(await sound.want(number)).toEqual(cubinOf(number))
      }),
      { numRuns: 100 },
    )
  })

  it('whose folder is removed while the cache is open gets a new one', async () => {
    const root = join(temporaryFolder(), 'cache')
    const { want, events, cache } = await observedCache(root)
    await want(1)
    rmSync(root, { recursive: true })
    expect(await want(2)).toEqual(cubinOf(2))
    expect(events.some((event) => event.type === 'unwritable')).toBe(false)
    expect(statSync(root).mode & 0o777).toBe(0o700)
    expect((await cache.list()).map(({ bytes }) => bytes > 256)).toEqual([true])
  })

  it('allows no file beyond a limit: the kernel is returned and no part of it stays', async () => {
    const root = join(temporaryFolder(), 'cache')
    // 8 blocks of 512 bytes: the manifest would fit, the cubin does not. A real EFBIG.
    const report = await runChild('warm', { root, keys: [1], cubinBytes: 65_536 }, { maxBlocks: 8 })
    expect(report.kernels).toBe(1)
    expect(report.unwritable).toEqual([expect.stringMatching(/EFBIG/)])
    expect(readdirSync(join(root, 'v1'))).toEqual([])
  })
})

/** A disk of 64 KiB; only root may make one, and not in every container. */
function smallDisk(): string | undefined {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'deepgemm-small-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=700', 'tmpfs', folder])
    return folder
  } catch {
    rmSync(folder, { recursive: true })
    return undefined
  }
}

const disk = process.platform === 'linux' && process.geteuid?.() === 0 ? smallDisk() : undefined

describe.skipIf(disk === undefined)('a disk that is full', () => {
  const root = join(disk ?? '', 'cache')

  afterAll(() => {
    execFileSync('umount', [disk as string])
    rmSync(disk as string, { recursive: true })
  })

  it('returns every kernel, leaves nothing by halves, and keeps what fits again', async () => {
    // All at once they need three times the room.
    const task = { root, keys: Array.from({ length: 12 }, (_, i) => i), cubinBytes: 16_000 }
    const full = await runChild('warm', task)
    expect(full).toMatchObject({ kernels: 12, rejected: [], refused: [] })
    expect(full.unwritable).toEqual(expect.arrayContaining([expect.stringMatching(/ENOSPC/)]))
    expect(leftovers(root)).toEqual([])
    const few = { ...task, keys: [20, 21] }
    expect(await runChild('warm', few)).toMatchObject({ kernels: 2, compiled: 2, rejected: [] })
    expect(await runChild('warm', few)).toMatchObject({ kernels: 2, compiled: 0, rejected: [] })
  })
})

describe('a folder without write permission', () => {
  // Root may write anywhere, so as root the child becomes another user first.
  const asUser = process.geteuid?.() === 0 ? { uid: 12345 } : {}

  it('still gives its entries; new kernels are compiled and not kept', async () => {
    const folder = temporaryFolder()
    chmodSync(folder, 0o755)
    const root = join(folder, 'cache')
    const prepared = await runChild('warm', { root, keys: [1], ...asUser, own: folder })
    expect(prepared.compiled).toBe(1)
    chmodSync(join(root, 'v1'), 0o500)
    const report = await runChild('warm', { root, keys: [1, 2, 3], ...asUser })
    expect(report).toMatchObject({ kernels: 3, compiled: 2, refused: [] })
    expect(report.unwritable).toEqual([expect.stringMatching(/EACCES/)])
    chmodSync(join(root, 'v1'), 0o700)
  })

  it('that cannot be created is refused with the reason', async () => {
    const folder = temporaryFolder()
    chmodSync(folder, 0o555)
    const report = await runChild('warm', { root: join(folder, 'cache'), keys: [1], ...asUser })
    expect(report).toMatchObject({ kernels: 1, compiled: 1 })
    expect(report.refused).toEqual([expect.stringMatching(/EACCES/)])
  })
})
