import { KernelCache, type KernelCacheOptions } from '@deepgemm/jit'
import { configText, shortKey } from '../cache/describe.js'
import { type RawOptions, text, wholeNumber } from '../options.js'
import { formatAge, formatBytes } from '../output/format.js'
import { printTable } from '../output/table.js'
import { say, sayJson, type Terminal } from '../output/terminal.js'

const DAY_MS = 24 * 3600 * 1000

/** Opens the cache of this user; what is wrong with a root is told on stderr, once. */
export async function openCache(
  terminal: Terminal,
  options: KernelCacheOptions = {},
): Promise<KernelCache> {
  return KernelCache.open({
    ...options,
    onEvent: (event) => {
      if (event.type === 'root-refused') {
        terminal.stderr.write(`The cache in ${event.root} is not used: ${event.reason}\n`)
      }
      if (event.type === 'unwritable') {
        terminal.stderr.write(`Kernels are not kept in ${event.root}: ${event.reason}\n`)
      }
    },
  })
}

/** `deepgemm cache path`: exit code 1 when nothing can be kept. */
export async function cachePathCommand(terminal: Terminal): Promise<number> {
  const cache = await openCache(terminal)
  for (const { path, problem } of cache.roots) if (problem === undefined) say(terminal, path)
  sayJson(terminal, { roots: cache.roots, maxBytes: cache.maxBytes })
  return cache.path === undefined ? 1 : 0
}

/** `deepgemm cache ls` */
export async function cacheListCommand(terminal: Terminal): Promise<number> {
  const cache = await openCache(terminal)
  const entries = await cache.list()
  const recent = [...entries].sort((a, b) => b.lastUsed.getTime() - a.lastUsed.getTime())
  if (entries.length > 0) {
    printTable(
      terminal,
      [
        { name: 'key' },
        { name: 'kernel' },
        { name: 'config' },
        { name: 'compiler' },
        { name: 'size', align: 'right' },
        { name: 'last used' },
      ],
      recent.map(({ key, manifest, problem, bytes, lastUsed }) => [
        shortKey(key),
        manifest?.entryName ?? '?',
        manifest === undefined ? `unusable: ${problem}` : configText(manifest.config),
        manifest === undefined ? '' : `${manifest.compiler.name} ${manifest.compiler.version}`,
        formatBytes(bytes),
        formatAge(lastUsed),
      ]),
    )
  }
  const total = entries.reduce((sum, { bytes }) => sum + bytes, 0)
  const where = cache.path ?? 'roots that are only read'
  say(terminal, `${kernels(entries.length)}, ${formatBytes(total)}, in ${where}`)
  sayJson(terminal, { roots: cache.roots, maxBytes: cache.maxBytes, bytes: total, entries: recent })
  return 0
}

/** `deepgemm cache verify`: exit code 1 when an entry is bad and was not removed. */
export async function cacheVerifyCommand(terminal: Terminal, options: RawOptions): Promise<number> {
  const cache = await openCache(terminal)
  const report = await cache.verify({ remove: options['remove'] === true })
  for (const { key, root, reason } of report.problems) {
    const removed = report.removed.includes(key) ? ' (removed)' : ''
    say(terminal, `${shortKey(key)} in ${root}: ${reason}${removed}`)
  }
  const left = report.problems.length - report.removed.length
  const outcome = report.problems.length === 0 ? 'all sound' : `${report.problems.length} bad`
  say(terminal, `${kernels(report.checked)}, ${formatBytes(report.bytes)} read: ${outcome}`)
  if (left > 0) say(terminal, 'A bad entry is compiled anew when it is wanted; --remove removes it')
  sayJson(terminal, report)
  return left === 0 ? 0 : 1
}

/** `deepgemm cache prune` */
export async function cachePruneCommand(terminal: Terminal, options: RawOptions): Promise<number> {
  const limits = {
    ...(options['maxMb'] === undefined
      ? {}
      : { maxBytes: 1e6 * wholeNumber(options, 'maxMb', { max: 1e9 }) }),
    ...(options['unusedDays'] === undefined
      ? {}
      : { unusedForMs: DAY_MS * wholeNumber(options, 'unusedDays', { max: 36_500 }) }),
  }
  const cache = await openCache(terminal)
  const { evicted, keptBytes } = await cache.prune(limits)
  const freed = evicted.reduce((sum, { bytes }) => sum + bytes, 0)
  say(terminal, `${kernels(evicted.length)} removed, ${formatBytes(freed)} freed`)
  say(terminal, `${formatBytes(keptBytes)} kept in ${cache.path}`)
  sayJson(terminal, { evicted, freedBytes: freed, keptBytes, path: cache.path })
  return 0
}

/** `deepgemm cache export <file>`: exit code 1 when damaged entries were left out. */
export async function cacheExportCommand(
  terminal: Terminal,
  file: string,
  options: RawOptions,
): Promise<number> {
  const path = text({ ...options, file }, 'file')
  const cache = await openCache(terminal)
  const { exported, bytes, skipped } = await cache.exportBundle(path)
  for (const { key, reason } of skipped) say(terminal, `${shortKey(key)} is left out: ${reason}`)
  say(terminal, `${kernels(exported.length)}, ${formatBytes(bytes)}, written to ${path}`)
  say(terminal, 'On a machine without a compiler: deepgemm cache import <file>')
  sayJson(terminal, { path, exported, bytes, skipped })
  return skipped.length === 0 ? 0 : 1
}

/** `deepgemm cache import <file>` */
export async function cacheImportCommand(
  terminal: Terminal,
  file: string,
  options: RawOptions,
): Promise<number> {
  const path = text({ ...options, file }, 'file')
  const cache = await openCache(terminal)
  const { imported, alreadyPresent } = await cache.importBundle(path)
  say(terminal, `${kernels(imported.length)} imported into ${cache.path}`)
  if (alreadyPresent.length > 0) say(terminal, `${alreadyPresent.length} were there already`)
  sayJson(terminal, { path: cache.path, imported, alreadyPresent })
  return 0
}

/** `1 kernel`, `12 kernels` */
export function kernels(count: number): string {
  return `${count} kernel${count === 1 ? '' : 's'}`
}
