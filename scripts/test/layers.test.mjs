import { describe, expect, it } from 'vitest'
import { check } from '../checks/layers.mjs'
import { folderWith } from './fixture.mjs'

const EXPORTS = { '.': { default: './dist/index.js' } }
const CORE = { 'packages/core/package.json': { name: '@deepgemm/core', exports: EXPORTS } }

function dense(source, dependencies = {}) {
  return folderWith({
    ...CORE,
    'packages/dense/package.json': { name: '@deepgemm/dense', dependencies },
    'packages/dense/src/index.ts': source,
  })
}

const problemsOf = async (folder) => (await check(folder)).problems

describe('layers', () => {
  it('accepts an import of a lower layer that the manifest lists', async () => {
    const folder = dense("import { x } from '@deepgemm/core'\n", { '@deepgemm/core': '*' })
    expect(await problemsOf(folder)).toEqual([])
  })

  it('refuses an import of a sibling', async () => {
    const folder = dense("export { x } from '@deepgemm/moe'\n", { '@deepgemm/moe': '*' })
    expect(await problemsOf(folder)).toEqual([
      'packages/dense/src/index.ts:1 imports @deepgemm/moe; ' +
        '@deepgemm/dense may import only core, runtime, jit',
    ])
  })

  it('refuses an upward import that is only a type, or dynamic', async () => {
    const folder = dense(
      "import type { T } from 'deepgemm'\nconst x = await import('deepgemm')\n",
      {
        deepgemm: '*',
      },
    )
    expect(await problemsOf(folder)).toHaveLength(2)
  })

  it('refuses an import that the manifest does not list', async () => {
    const folder = dense("import { x } from '@deepgemm/core'\nimport pad from 'left-pad'\n")
    expect(await problemsOf(folder)).toEqual([
      expect.stringContaining('imports @deepgemm/core, which is not in the dependencies'),
      expect.stringContaining('imports left-pad, which is not in the dependencies'),
    ])
  })

  it('refuses a dependency that nothing imports', async () => {
    expect(await problemsOf(dense('export {}\n', { '@deepgemm/core': '*' }))).toEqual([
      'packages/dense/package.json: dependency @deepgemm/core is never imported',
    ])
  })

  it('refuses a path into another package', async () => {
    const dependencies = { '@deepgemm/core': '*' }
    const deep = dense("import '@deepgemm/core/src/tensor.js'\n", dependencies)
    expect(await problemsOf(deep)).toEqual([
      expect.stringContaining('@deepgemm/core does not export'),
    ])
    const relative = dense("import '../../core/src/tensor.js'\n// '@deepgemm/core'\n", dependencies)
    expect(await problemsOf(relative)).toEqual([expect.stringContaining('outside its package')])
  })

  it('refuses a Node module in core', async () => {
    const folder = folderWith({
      ...CORE,
      'packages/core/src/index.ts': "import { readFileSync } from 'node:fs'\n",
    })
    expect(await problemsOf(folder)).toEqual([expect.stringContaining('core must run anywhere')])
  })

  it('refuses a package that has no layer', async () => {
    const folder = folderWith({ 'packages/extra/package.json': { name: '@deepgemm/extra' } })
    expect(await problemsOf(folder)).toEqual([expect.stringContaining('no place in the layers')])
  })
})
