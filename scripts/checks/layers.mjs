// Imports between packages point down, and manifests say what the sources import.

import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { importsOf, sourcesIn } from '../lib/imports.mjs'
import { packages, root, sourceEntries } from '../lib/workspace.mjs'

export const title = 'packages import downwards, manifests match imports'

const KINDS = ['core', 'runtime', 'jit'] // siblings: they never see one another
const LIBRARY = [...KINDS, 'kernels', 'quant', 'dense', 'moe', 'safetensors']

/** What each package may import, by the last part of its name. */
const ALLOWED = {
  core: [],
  kernels: [],
  safetensors: ['core'],
  runtime: ['core', 'kernels'],
  'runtime-linux-x64': [],
  jit: ['core', 'kernels', 'runtime'],
  quant: KINDS,
  dense: KINDS,
  moe: KINDS,
  deepgemm: LIBRARY,
  'moe-server': ['deepgemm'],
  'tiny-moe': ['deepgemm'],
  cli: [...LIBRARY, 'deepgemm', 'bench', 'tiny-moe'],
  bench: [...LIBRARY, 'deepgemm'],
  testing: ['core'],
}

const shortName = (name) => name.replace('@deepgemm/', '')
const isOurs = (name) => name === 'deepgemm' || name.startsWith('@deepgemm/')

/** `@scope/name/deep/path` -> `@scope/name` */
function packageOf(specifier) {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** @returns {string | undefined} what is wrong with one import */
function refusal(item, specifier, fileInSource, entries) {
  if (specifier.startsWith('.')) {
    const climbs = join(fileInSource, '..', specifier).startsWith('..')
    return climbs ? `imports ${specifier}, which lies outside its package's src` : undefined
  }
  if (specifier.startsWith('node:')) {
    return item.name === '@deepgemm/core'
      ? `imports ${specifier}; core must run anywhere`
      : undefined
  }
  const name = packageOf(specifier)
  const { dependencies = {}, optionalDependencies = {} } = item.manifest
  if (isOurs(name)) {
    const allowed = ALLOWED[shortName(item.name)] ?? []
    if (!allowed.includes(shortName(name))) {
      return `imports ${name}; ${item.name} may import only ${allowed.join(', ') || 'nothing of ours'}`
    }
    if (!entries.has(specifier)) return `imports ${specifier}, which ${name} does not export`
  }
  if (name in dependencies || name in optionalDependencies) return undefined
  return `imports ${name}, which is not in the dependencies of ${item.path}/package.json`
}

/** Dependencies that no source and no build description names. */
function unused(item, texts) {
  const build = join(item.dir, 'CMakeLists.txt')
  if (existsSync(build)) texts.push(readFileSync(build, 'utf8'))
  const { dependencies = {} } = item.manifest
  return Object.keys(dependencies)
    .filter((name) => !texts.some((text) => text.includes(`'${name}`)))
    .map((name) => `${item.path}/package.json: dependency ${name} is never imported`)
}

/** @param {string} [from] */
export async function check(from = root) {
  const problems = []
  const all = packages(from)
  const entries = new Set(sourceEntries(all).map(({ specifier }) => specifier))
  for (const item of all) {
    if (!(shortName(item.name) in ALLOWED)) {
      problems.push(`${item.path}: ${item.name} has no place in the layers; give it one`)
      continue
    }
    const source = join(item.dir, 'src')
    const sources = sourcesIn(source)
    for (const { file, text } of sources) {
      for (const { specifier, line } of importsOf(file, text)) {
        const reason = refusal(item, specifier, relative(source, file), entries)
        if (reason) problems.push(`${relative(from, file)}:${line} ${reason}`)
      }
    }
    problems.push(
      ...unused(
        item,
        sources.map(({ text }) => text),
      ),
    )
  }
  return { problems }
}
