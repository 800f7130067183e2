import { describe, expect, it } from 'vitest'
import { installLine } from '../checks/tarballs.mjs'
import { examplesOf } from '../lib/examples.mjs'
import { codeBlocks } from '../lib/markdown.mjs'

const TEXT = `# dense

\`\`\`sh
npm i @deepgemm/dense @deepgemm/quant
\`\`\`

\`\`\`ts
const a = 1
\`\`\`

\`\`\`ts no-run
const b = 2
\`\`\`
`

describe('README blocks', () => {
  it('are read with language, words, code and line', () => {
    expect(codeBlocks(TEXT)).toEqual([
      { language: 'sh', words: [], code: 'npm i @deepgemm/dense @deepgemm/quant\n', line: 4 },
      { language: 'ts', words: [], code: 'const a = 1\n', line: 8 },
      { language: 'ts', words: ['no-run'], code: 'const b = 2\n', line: 12 },
    ])
  })

  it('run unless they are marked no-run', () => {
    const examples = examplesOf('packages/dense/README.md', TEXT)
    expect(examples.map(({ id, runs }) => [id, runs])).toEqual([
      ['packages-dense-1', true],
      ['packages-dense-2', false],
    ])
  })

  it('are named after their page', () => {
    expect(examplesOf('docs/guides/serve.md', TEXT)[0].id).toBe('docs-guides-serve-1')
  })

  it('name the packages to install', () => {
    expect(installLine(TEXT)).toEqual(['@deepgemm/dense', '@deepgemm/quant'])
  })
})
