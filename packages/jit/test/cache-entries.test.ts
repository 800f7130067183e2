import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { kernelKey } from '@deepgemm/jit'
import { describe, expect, it } from 'vitest'
import { bytesOf, entryFiles, leftovers } from './support/files.js'
import { temporaryFolder } from './support/folders.js'
import { cubinOf, type Observed, observedCache, specOf } from './support/kernels.js'

/** The cache must notice what was done to kernel 1, say so, and end with a sound entry. */
async function expectRecompiled(observed: Observed, root: string, reason: RegExp): Promise<void> {
  const before = observed.compiled.length
  observed.events.length = 0
  expect(await observed.want(1)).toEqual(cubinOf(1))
  expect(observed.compiled.length).toBe(before + 1)
  const rejected = observed.events.filter((event) => event.type === 'entry-rejected')
  expect(rejected).toHaveLength(1)
  expect(rejected[0]?.reason).toMatch(reason)
  const { problems } = await observed.cache.verify()
  expect(problems).toEqual([])
  expect(leftovers(root)).toEqual([])
}

async function withEntry(): Promise<Observed & { root: string; manifest: string; cubin: string }> {
  const root = join(temporaryFolder(), 'cache')
  const observed = await observedCache(root)
  await observed.want(1)
  return { ...observed, root, ...entryFiles(root, 1) }
}

describe('an entry', () => {
  it('is compiled once and then found, also by another cache', async () => {
    const { want, compiled, root } = await withEntry()
    expect(await want(1)).toEqual(cubinOf(1))
    const second = await observedCache(root)
    expect(await second.want(1)).toEqual(cubinOf(1))
    expect([compiled, second.compiled]).toEqual([[1], []])
    expect(second.events).toEqual([{ type: 'hit', key: kernelKey(specOf(1)), root }])
  })

  it('is two private files in a private folder', async () => {
    const { root, manifest, cubin } = await withEntry()
    const mode = (path: string): number => statSync(path).mode & 0o777
    expect([root, join(root, 'v1')].map(mode)).toEqual([0o700, 0o700])
    expect([manifest, cubin].map(mode)).toEqual([0o600, 0o600])
    expect(readdirSync(join(root, 'v1'))).toHaveLength(2)
  })

  it('says in its manifest what it was made from and by what', async () => {
    const { cache } = await withEntry()
    const entry = await cache.get(kernelKey(specOf(1)))
    const { compiler, config, entryName, flags, target } = specOf(1)
    expect(entry?.manifest).toMatchObject({ compiler, config, entryName, flags, target })
    expect(entry?.manifest.cubin.bytes).toBe(256)
  })

  it('with any one byte changed is not loaded, and compiled anew', async () => {
    const observed = await withEntry()
    for (const path of [observed.cubin, observed.manifest]) {
      const original = bytesOf(path)
      for (let at = 0; at < original.length; at += 1) {
        const changed = Buffer.from(original)
        changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8))
        writeFileSync(path, changed)
        const loaded = await observed.cache.get(kernelKey(specOf(1)))
        expect(loaded, `byte ${at} of ${path}`).toBeUndefined()
      }
      await expectRecompiled(observed, observed.root, /altered|not JSON|digest/)
    }
  })

  it('cut to any length is compiled anew', async () => {
    const observed = await withEntry()
    for (const path of [observed.cubin, observed.manifest]) {
      const { length } = bytesOf(path)
      for (const shorter of [0, 1, length >> 1, length - 1]) {
        truncateSync(path, shorter)
        await expectRecompiled(observed, observed.root, /long|shrank|not JSON|altered/)
      }
    }
  })

  it('with bytes behind its end is compiled anew', async () => {
    const observed = await withEntry()
    for (const path of [observed.cubin, observed.manifest]) {
      writeFileSync(path, '\n', { flag: 'a' })
      await expectRecompiled(observed, observed.root, /long|altered/)
    }
  })

  it('swapped with another entry is compiled anew, wholly or in part', async () => {
    const observed = await withEntry()
    await observed.want(2)
    const other = entryFiles(observed.root, 2)
    copyFileSync(other.cubin, observed.cubin)
    await expectRecompiled(observed, observed.root, /digest/)
    copyFileSync(other.manifest, observed.manifest)
    await expectRecompiled(observed, observed.root, /belongs to/)
    copyFileSync(other.cubin, observed.cubin)
    copyFileSync(other.manifest, observed.manifest)
    await expectRecompiled(observed, observed.root, /belongs to/)
  })

  it('without its cubin is compiled anew', async () => {
    const observed = await withEntry()
    unlinkSync(observed.cubin)
    await expectRecompiled(observed, observed.root, /cubin is missing/)
  })

  it('that is a symbolic link is not followed', async () => {
    const observed = await withEntry()
    for (const path of [observed.cubin, observed.manifest]) {
      const elsewhere = join(temporaryFolder(), 'elsewhere')
      renameSync(path, elsewhere)
      symlinkSync(elsewhere, path)
      await expectRecompiled(observed, observed.root, /symbolic link/)
    }
  })

  it('that is a pipe or a folder is compiled anew, without waiting for a writer', async () => {
    const observed = await withEntry()
    unlinkSync(observed.cubin)
    execFileSync('mkfifo', ['-m', '600', observed.cubin])
    await expectRecompiled(observed, observed.root, /not a regular file/)
    unlinkSync(observed.cubin)
    mkdirSync(observed.cubin)
    expect(await observed.want(1)).toEqual(cubinOf(1))
    expect(observed.events.at(-1)).toMatchObject({ type: 'unwritable' })
    rmSync(observed.cubin, { recursive: true })
  })

  it('that others may write is compiled anew', async () => {
    const observed = await withEntry()
    for (const path of [observed.cubin, observed.manifest]) {
      for (const mode of [0o620, 0o602]) {
        chmodSync(path, mode)
        await expectRecompiled(observed, observed.root, /lets other users write/)
      }
    }
  })

  it.runIf(process.geteuid?.() === 0)('of another user is compiled anew (as root)', async () => {
    const observed = await withEntry()
    for (const path of [observed.cubin, observed.manifest]) {
      chownSync(path, 12345, 12345)
      await expectRecompiled(observed, observed.root, /owned by uid 12345/)
    }
  })

  it('of absurd length is not read', async () => {
    const observed = await withEntry()
    truncateSync(observed.manifest, 2 ** 34)
    await expectRecompiled(observed, observed.root, /more than/)
    truncateSync(observed.cubin, 2 ** 34)
    await expectRecompiled(observed, observed.root, /more than/)
  })
})
