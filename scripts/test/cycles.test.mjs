import { describe, expect, it } from 'vitest'
import { check } from '../checks/cycles.mjs'
import { folderWith } from './fixture.mjs'

function core(sources) {
  const files = Object.entries(sources).map(([name, text]) => [`packages/core/src/${name}`, text])
  return folderWith({
    'packages/core/package.json': { name: '@deepgemm/core' },
    ...Object.fromEntries(files),
  })
}

describe('import cycles', () => {
  it('names every file of a cycle', async () => {
    const folder = core({
      'a.ts': "import { b } from './deep/b.js'\n",
      'deep/b.ts': "export { c } from '../c.js'\n",
      'c.ts': "import './a.js'\n",
    })
    expect((await check(folder)).problems).toEqual([
      'packages/core/src/a.ts -> packages/core/src/deep/b.ts -> packages/core/src/c.ts -> packages/core/src/a.ts',
    ])
  })

  it('accepts two ways to the same file', async () => {
    const folder = core({
      'a.ts': "import './b.js'\nimport './c.js'\n",
      'b.ts': "import './d.js'\n",
      'c.ts': "import './d.js'\n",
      'd.ts': 'export {}\n',
    })
    expect((await check(folder)).problems).toEqual([])
  })

  it('ignores imports of types, which leave nothing at run time', async () => {
    const folder = core({
      'a.ts': "import type { B } from './b.js'\n",
      'b.ts': "import { a } from './a.js'\n",
    })
    expect((await check(folder)).problems).toEqual([])
  })
})
