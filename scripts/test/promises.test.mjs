import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { packages, root } from '../lib/workspace.mjs'

const PROJECTS = new Map([
  ...packages().map(({ name, dir }) => [name.replace('@deepgemm/', ''), dir]),
  ['house', join(root, 'scripts')],
])

/** The commands in the tables of a page: `project file file`, or a project alone. */
function testsNamed(page) {
  const rows = readFileSync(join(root, 'docs', page), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('|'))
  return rows.flatMap((row) =>
    [...row.matchAll(/`([a-z]+)((?: [\w-]+)*)`/g)]
      .filter(([, project]) => PROJECTS.has(project))
      .map(([, project, files]) => ({ project, files: files.split(' ').filter(Boolean) })),
  )
}

describe.each(['security.md', 'reliability.md'])('docs/%s', (page) => {
  it('names tests that exist', () => {
    const named = testsNamed(page)
    expect(named.length).toBeGreaterThan(10)
    for (const { project, files } of named) {
      const folder = join(PROJECTS.get(project), 'test')
      expect(existsSync(folder), folder).toBe(true)
      for (const file of files) {
        const found = readdirSync(folder).filter((name) => name.includes(file))
        expect(found, `${project} ${file}`).not.toEqual([])
      }
    }
  })
})

describe('at install', () => {
  it('no package of ours runs code', () => {
    for (const { name, manifest } of packages()) {
      for (const hook of ['preinstall', 'install', 'postinstall', 'prepare']) {
        expect(manifest.scripts?.[hook], `${name} ${hook}`).toBeUndefined()
      }
    }
  })

  it('no dependency may run code', () => {
    const workspace = readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8')
    expect(workspace).toMatch(/^onlyBuiltDependencies: \[\]$/m)
  })
})

describe('processes', () => {
  it('are started without a shell, everywhere', async () => {
    const { stdout } = await promisify(execFile)('git', ['ls-files', '*.ts', '*.mjs'], {
      cwd: root,
    })
    const files = stdout
      .split('\n')
      .filter((file) => file !== '' && !file.includes('/promises.test'))
    expect(files.length).toBeGreaterThan(300)
    // `exec` and `execSync` of node:child_process take a line for a shell.
    const SHELL = /\b(?<!\.)(exec|execSync)\(|shell: true/
    const offenders = files.filter((file) => {
      if (!existsSync(join(root, file))) return false
      const text = readFileSync(join(root, file), 'utf8')
      return text.includes('child_process') && SHELL.test(text)
    })
    expect(offenders).toEqual([])
  })
})
