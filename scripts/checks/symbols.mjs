// The addon asks for no newer system libraries than its README says.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../lib/run.mjs'
import { root } from '../lib/workspace.mjs'

export const title = 'the addon loads on systems as old as stated'

const PACKAGE = join(root, 'packages', 'runtime-linux-x64')

/** Newest version of each kind that an `objdump -T` listing names. */
export function newestVersions(listing) {
  const newest = new Map()
  for (const [, kind, version] of listing.matchAll(/\b(GLIBC|GLIBCXX|CXXABI)_(\d[\d.]*)\)/g)) {
    const known = newest.get(kind)
    if (known === undefined || isNewer(version, known)) newest.set(kind, version)
  }
  return newest
}

/** What a README says is needed. */
export function statedVersions(text) {
  return new Map([
    ['GLIBC', /glibc (\d[\d.]*\d)/.exec(text)?.[1]],
    ['GLIBCXX', /GLIBCXX_(\d[\d.]*\d)/.exec(text)?.[1]],
    ['CXXABI', /CXXABI_(\d[\d.]*\d)/.exec(text)?.[1]],
  ])
}

function isNewer(a, b) {
  const [x, y] = [a, b].map((version) => version.split('.').map(Number))
  for (let i = 0; i < Math.max(x.length, y.length); i++) {
    if ((x[i] ?? 0) !== (y[i] ?? 0)) return (x[i] ?? 0) > (y[i] ?? 0)
  }
  return false
}

/** @param {Map<string, string>} needed @param {Map<string, string | undefined>} stated */
export function compareVersions(needed, stated) {
  return [...needed].flatMap(([kind, version]) => {
    const most = stated.get(kind)
    if (most === undefined) return [`the README does not say which ${kind} is needed: ${version}`]
    return isNewer(version, most) ? [`needs ${kind}_${version}, the README says ${most}`] : []
  })
}

export async function check() {
  const addon = join(PACKAGE, 'deepgemm_runtime.node')
  if (!existsSync(addon))
    return { problems: [], skipped: 'there is no addon for Linux on x64 here' }
  const listing = await run('objdump', ['-T', addon]).catch(() => undefined)
  if (listing === undefined) return { problems: [], skipped: 'objdump is not on this machine' }
  const needed = newestVersions(listing.output)
  if (needed.size === 0) return { problems: [`no symbol versions found\n${listing.output}`] }
  const stated = statedVersions(readFileSync(join(PACKAGE, 'README.md'), 'utf8'))
  const note = [...needed].map(([kind, version]) => `${kind} ${version}`).join(', ')
  return { problems: compareVersions(needed, stated), note }
}
