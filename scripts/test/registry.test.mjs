import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { LocalRegistry } from '../lib/registry.mjs'
import { must, run } from '../lib/run.mjs'
import { folderWith } from './fixture.mjs'

const MANIFEST = { name: '@deepgemm/fixture', version: '1.0.0', license: 'MIT', type: 'module' }

async function started() {
  const registry = await LocalRegistry.start()
  onTestFinished(() => registry.stop())
  return registry
}

describe('the local registry', () => {
  it('gives what was published, by its version', async () => {
    const registry = await started()
    const folder = folderWith({ 'package.json': MANIFEST, 'index.js': 'export const x = 1\n' })
    const publish = ['publish', ...registry.options, '--provenance=false', '--access=public']
    await must('npm', publish, { cwd: folder })
    expect(registry.names).toEqual(['@deepgemm/fixture'])
    const project = folderWith({ 'package.json': {} })
    const install = ['install', ...registry.options, '--no-audit', '@deepgemm/fixture@^1.0.0']
    await must('npm', install, { cwd: project })
    expect(readdirSync(join(project, 'node_modules/@deepgemm/fixture')).sort()).toEqual([
      'index.js',
      'package.json',
    ])
    expect((await run('npm', publish, { cwd: folder })).code).not.toBe(0)
  })

  it('sends on whoever asks for something else', async () => {
    const registry = await started()
    const { status, headers } = await fetch(`${registry.url}/left-pad`, { redirect: 'manual' })
    expect(status).toBe(307)
    expect(headers.get('location')).toMatch(/^https?:\/\/.*\/left-pad$/)
  })
})
