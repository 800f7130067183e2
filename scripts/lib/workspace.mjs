// The packages of this repository, read from disk. Works before anything is installed.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

/**
 * @typedef {Record<string, string>} Versions
 * @typedef {{ name: string, version: string, private?: boolean, exports?: unknown,
 *   dependencies?: Versions, optionalDependencies?: Versions, devDependencies?: Versions }} Manifest
 * @typedef {{ name: string, dir: string, path: string, manifest: Manifest }} Package
 *   `dir` is absolute, `path` relative to the repository.
 */

/**
 * @param {string} [from] the repository; another one in tests
 * @returns {Package[]} sorted by path
 */
export function packages(from = root) {
  const folders = ['kernels']
  for (const parent of ['packages', 'tools', 'docs/examples']) {
    if (!existsSync(join(from, parent))) continue
    for (const name of readdirSync(join(from, parent)).sort()) folders.push(join(parent, name))
  }
  return folders
    .map((path) => join(from, path))
    .filter((dir) => existsSync(join(dir, 'package.json')))
    .map((dir) => {
      const manifest = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
      return { name: manifest.name, dir, path: relative(from, dir), manifest }
    })
}

/**
 * Packages of this repository that `name` needs at run time, itself included.
 * @param {string} name
 * @param {readonly Package[]} all
 * @returns {Set<string>}
 */
export function closure(name, all) {
  const byName = new Map(all.map((item) => [item.name, item]))
  const found = new Set()
  const open = [name]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const item = byName.get(next)
    if (item === undefined || found.has(next)) continue
    found.add(next)
    const { dependencies = {}, optionalDependencies = {} } = item.manifest
    open.push(...Object.keys(dependencies), ...Object.keys(optionalDependencies))
  }
  return found
}

/** Does a package reach the native addon, and so need it built before its tests run? */
export function needsAddon(name, all) {
  return closure(name, all).has('@deepgemm/runtime')
}

/**
 * Every public entry of the packages with the source it is built from.
 * @param {readonly Package[]} all
 * @returns {{ specifier: string, source: string }[]}
 */
export function sourceEntries(all) {
  return all.flatMap(({ name, dir, manifest }) =>
    Object.entries(manifest.exports ?? {}).flatMap(([entry, target]) => {
      const built = /^\.\/dist\/(.*)\.js$/.exec(target.default ?? '')
      if (!built) return []
      return { specifier: join(name, entry), source: join(dir, 'src', `${built[1]}.ts`) }
    }),
  )
}
