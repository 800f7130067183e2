import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { runExamples } from '../checks/readme.mjs'
import { importAlone, lint } from '../checks/tarballs.mjs'
import { must } from '../lib/run.mjs'
import { TarballProject } from '../lib/tarballs.mjs'
import { folderWith } from './fixture.mjs'

const NAME = '@deepgemm/fixture'
const GOOD = {
  manifest: {
    name: NAME,
    version: '1.0.0',
    license: 'MIT',
    type: 'module',
    exports: { '.': { types: './index.d.ts', default: './index.js' } },
    files: ['index.js', 'index.d.ts'],
  },
  source: 'export const x = 1\n',
  types: 'export declare const x: number\n',
}

async function tarball({ manifest, source, types }) {
  const folder = folderWith({
    'package.json': manifest,
    'index.js': source,
    'index.d.ts': types,
  })
  await must('npm', ['pack', '--silent'], { cwd: folder })
  return join(folder, 'deepgemm-fixture-1.0.0.tgz')
}

async function problemsOf(fixture) {
  const packed = await tarball(fixture)
  const all = [{ name: NAME, dir: '', path: '', manifest: fixture.manifest }]
  const project = new TarballProject(new Map([[NAME, packed]]), all)
  onTestFinished(() => project.remove())
  return [...(await lint(NAME, packed)), ...(await importAlone(NAME, project))]
}

describe('tarballs', () => {
  it('accept a complete package', async () => {
    expect(await problemsOf(GOOD)).toEqual([])
  })

  it('refuse a package that leaves its types out', async () => {
    const manifest = { ...GOOD.manifest, files: ['index.js'] }
    const problems = await problemsOf({ ...GOOD, manifest })
    expect(problems).toEqual([expect.stringMatching(/^publint .*types/s)])
  })

  it('refuse types that refer to a file that is not there', async () => {
    const problems = await problemsOf({ ...GOOD, types: "export * from './missing.js'\n" })
    expect(problems).toEqual([expect.stringMatching(/^attw .*resolution/is)])
  })

  it('refuse a package whose import needs something that it does not bring', async () => {
    const problems = await problemsOf({ ...GOOD, source: "import 'left-pad'\n" })
    expect(problems).toEqual([expect.stringMatching(/^import .*left-pad/s)])
  })
})

describe('README examples', () => {
  const run = (code) =>
    runExamples([{ readme: 'README.md', text: `\`\`\`ts\n${code}\n\`\`\`\n` }], folderWith({}))

  it('pass when they compile and run', async () => {
    expect(await run('using x = { [Symbol.dispose]() {} }\nawait x')).toMatchObject({
      problems: [],
    })
  })

  it('fail when they do not compile', async () => {
    expect((await run('const x: number = "text"')).problems).toEqual([
      expect.stringContaining('TS2322'),
    ])
  })

  it('fail with their line when they throw', async () => {
    expect((await run('throw new Error("boom")')).problems).toEqual([
      expect.stringMatching(/^README\.md:2 exit code 1\n.*boom/s),
    ])
  })
})
