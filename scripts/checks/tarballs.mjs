// Each package installs alone from its tarball, brings only what it needs, imports, and runs the
// example of its README. publint and attw read the tarball as npm and TypeScript would.

import { copyFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { compileExamples, readmes } from '../lib/examples.mjs'
import { codeBlocks } from '../lib/markdown.mjs'
import { run } from '../lib/run.mjs'
import { packAll, TarballProject } from '../lib/tarballs.mjs'
import { closure, packages } from '../lib/workspace.mjs'

export const title = 'every package installs alone from its tarball'

/** Loaded by a path, never imported: it has no JavaScript and no types. */
const ADDON_ONLY = '@deepgemm/runtime-linux-x64'

/**
 * The packages that a README tells its reader to install.
 * @param {string} text
 * @returns {string[]}
 */
export function installLine(text) {
  for (const { code } of codeBlocks(text)) {
    const line = /^(?:\$ )?npm (?:i|install) (.+)$/m.exec(code)
    if (line) return (line[1] ?? '').split(/\s+/).filter((word) => !word.startsWith('-'))
  }
  return []
}

/**
 * @param {string} name
 * @param {string} tarball
 * @returns {Promise<string[]>} problems
 */
export async function lint(name, tarball) {
  const problems = []
  const publint = await run('publint', ['run', tarball, '--strict'])
  if (publint.code !== 0) problems.push(`publint ${name}\n${publint.output}`)
  if (name === ADDON_ONLY) return problems
  const attw = await run('attw', [tarball, '--profile', 'esm-only', '--no-color', '--no-emoji'])
  if (attw.code !== 0) problems.push(`attw ${name}\n${attw.output}`)
  return problems
}

/**
 * @param {string} name
 * @param {TarballProject} project an empty one
 * @returns {Promise<string[]>} problems
 */
export async function importAlone(name, project) {
  await project.install([name])
  const expected = [...closure(name, project.packages)].sort().join(' ')
  const came = project.installed().join(' ')
  if (came !== expected) return [`${name} brought ${came}; expected ${expected}`]
  const script =
    name === ADDON_ONLY
      ? `import { createRequire } from 'node:module'; createRequire(process.cwd() + '/x')('${name}')`
      : `await import('${name}')`
  const args = ['--input-type=module', '-e', script]
  const { code, output } = await run(process.execPath, args, { cwd: project.folder })
  return code === 0 ? [] : [`import ${name}\n${output}`]
}

async function runExamples(item, text, examples, project) {
  const wanted = installLine(text)
  const extra = wanted.filter((name) => name !== item.name)
  if (extra.length > 0) await project.install([item.name, ...extra])
  const problems = []
  for (const { script, line, runs } of examples) {
    if (!runs) continue
    const copy = join(project.folder, basename(script))
    copyFileSync(script, copy)
    const { code, output } = await run(process.execPath, [copy], { cwd: project.folder })
    if (code !== 0) problems.push(`${item.path}/README.md:${line} from tarballs\n${output}`)
  }
  return problems
}

export async function check() {
  const tarballs = await packAll()
  const { examples } = await compileExamples()
  const texts = new Map(readmes().map(({ readme, text }) => [readme, text]))
  const problems = []
  for (const item of packages().filter(({ name }) => tarballs.has(name))) {
    problems.push(...(await lint(item.name, tarballs.get(item.name))))
    const project = new TarballProject(tarballs)
    try {
      const readme = join(item.path, 'README.md')
      const own = examples.filter((example) => example.readme === readme)
      problems.push(...(await importAlone(item.name, project)))
      problems.push(...(await runExamples(item, texts.get(readme) ?? '', own, project)))
    } finally {
      project.remove()
    }
  }
  return { problems, note: `${tarballs.size} tarballs` }
}
