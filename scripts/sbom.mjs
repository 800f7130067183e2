// What the published packages bring along, as a CycloneDX bill of materials. From the lockfile alone.
//
//   node scripts/sbom.mjs [file]      default .cache/sbom.cdx.json

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runMain, say } from './lib/report.mjs'
import { must } from './lib/run.mjs'
import { packages, root } from './lib/workspace.mjs'

/** @typedef {{ from?: string, version: string, path?: string, dependencies?: Record<string, Listed> }} Listed */

/**
 * Integrity digests by `name@version`.
 * @param {string} lockfile
 * @returns {Map<string, string>}
 */
export function integrities(lockfile) {
  const found = new Map()
  const entry =
    /^ {2}'?((?:@[^@'\s]+\/)?[^@'\s]+@[^:'\s]+)'?:\n {4}resolution: \{integrity: (\S+?)[,}]/gm
  for (const [, name, integrity] of lockfile.matchAll(entry)) found.set(name, integrity)
  return found
}

/** The packages from the registry below what `pnpm list` prints, each once, sorted. */
export function externalPackages(listed) {
  const found = new Map()
  const visit = (dependencies = {}) => {
    for (const [name, item] of Object.entries(dependencies)) {
      const isOurs = item.version.startsWith('link:')
      const key = `${name}@${item.version}`
      if (found.has(key)) continue
      if (!isOurs) found.set(key, { name: item.from ?? name, version: item.version })
      visit(item.dependencies)
    }
  }
  for (const item of listed) {
    visit(item.dependencies)
    visit(item.optionalDependencies)
  }
  return [...found.values()].sort((a, b) => purl(a).localeCompare(purl(b)))
}

function purl({ name, version }) {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`
}

function component({ name, version }, integrity) {
  const base = { type: 'library', name, version, 'bom-ref': purl({ name, version }) }
  const [, algorithm, digest] = /^(sha\d+)-(.+)$/.exec(integrity ?? '') ?? []
  const content = digest && Buffer.from(digest, 'base64').toString('hex')
  const hashes = content && [{ alg: algorithm.toUpperCase().replace('SHA', 'SHA-'), content }]
  return { ...base, purl: purl({ name, version }), ...(hashes ? { hashes } : {}) }
}

/** @param {{ ours: object[], external: object[], digests: Map<string, string> }} parts */
export function bill({ ours, external, digests }) {
  const components = [
    ...ours.map((item) => component(item)),
    ...external.map((item) => component(item, digests.get(`${item.name}@${item.version}`))),
  ]
  const digest = createHash('sha256').update(JSON.stringify(components)).digest('hex')
  const serial = digest.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*/, '$1-$2-5$3-8$4-$5')
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    // From the content: the same lockfile gives the same bill.
    serialNumber: `urn:uuid:${serial}`,
    version: 1,
    components,
  }
}

/** @param {string} file */
export async function writeBill(file) {
  const published = packages().filter(({ manifest }) => !manifest.private)
  const filters = published.flatMap(({ name }) => ['--filter', name])
  const args = ['list', ...filters, '--prod', '--depth', 'Infinity', '--json']
  const listed = JSON.parse(await must('pnpm', args))
  const lockfile = readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8')
  const ours = published.map(({ name, manifest }) => ({ name, version: manifest.version }))
  const content = bill({ ours, external: externalPackages(listed), digests: integrities(lockfile) })
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`)
  return content.components.length
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runMain(async () => {
    const file = process.argv[2] ?? join(root, '.cache', 'sbom.cdx.json')
    say(`${await writeBill(file)} components in ${file}`)
    return 0
  })
}
