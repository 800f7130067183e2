// Installs the dependencies, when what they are made from has changed since the last time.

import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { must } from '../lib/run.mjs'
import { packages, root } from '../lib/workspace.mjs'

/** Read from package.json, so that the version stands in one place. */
export const packageManager = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
).packageManager

const stamp = join(root, 'node_modules', '.deepgemm-installed')

function fingerprint() {
  const hash = createHash('sha256')
  const manifests = packages().map((item) => join(item.path, 'package.json'))
  for (const path of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json', ...manifests]) {
    hash.update(path).update(readFileSync(join(root, path)))
  }
  return hash.digest('hex')
}

export function isInstalled() {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === fingerprint()
}

export async function install() {
  await must('npx', ['--yes', packageManager, 'install', '--frozen-lockfile'])
  writeFileSync(stamp, fingerprint())
}
