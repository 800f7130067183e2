// The packages as npm would receive them, and as a user would install them.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { must } from './run.mjs'
import { closure, packages, root } from './workspace.mjs'

const folder = join(root, '.cache', 'tarballs')

/** `@scope/name` -> `scope-name`, as npm names the file */
const stem = (name) => name.replace('@', '').replace('/', '-')

/**
 * Packs every published package.
 * @returns {Promise<Map<string, string>>} package name -> tarball
 */
export async function packAll() {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const published = packages().filter((item) => !item.manifest.private)
  const filters = published.flatMap((item) => ['--filter', item.name])
  await must('pnpm', [...filters, '-r', 'exec', 'pnpm', 'pack', '--pack-destination', folder])
  return new Map(
    published.map(({ name, manifest }) => [
      name,
      join(folder, `${stem(name)}-${manifest.version}.tgz`),
    ]),
  )
}

/** An empty project elsewhere, in which our packages resolve to the tarballs. */
export class TarballProject {
  /**
   * @param {Map<string, string>} tarballs
   * @param {import('./workspace.mjs').Package[]} [all]
   */
  constructor(tarballs, all = packages()) {
    this.tarballs = tarballs
    this.packages = all
    this.folder = mkdtempSync(join(tmpdir(), 'deepgemm-install-'))
  }

  /**
   * Installs packages by name, and with them whatever they depend on.
   * @param {readonly string[]} names
   */
  async install(names) {
    const file = (name) => [name, `file:${this.tarballs.get(name)}`]
    const needed = new Set(names.flatMap((name) => [...closure(name, this.packages)]))
    const others = [...needed].filter((name) => !names.includes(name))
    const manifest = {
      type: 'module',
      dependencies: Object.fromEntries(names.map(file)),
      overrides: Object.fromEntries(others.map(file)),
    }
    writeFileSync(join(this.folder, 'package.json'), JSON.stringify(manifest))
    const quiet = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline']
    await must('npm', ['install', ...quiet], { cwd: this.folder })
  }

  /** Our packages that came along. */
  installed() {
    const list = (path) => {
      try {
        return readdirSync(join(this.folder, 'node_modules', path))
      } catch {
        return []
      }
    }
    const scoped = list('@deepgemm').map((name) => `@deepgemm/${name}`)
    return [...scoped, ...list('.').filter((name) => name === 'deepgemm')].sort()
  }

  remove() {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
