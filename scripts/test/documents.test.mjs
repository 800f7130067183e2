import { describe, expect, it } from 'vitest'
import { anchorsOf, check, linksOf } from '../checks/links.mjs'
import { commandsOf } from '../lib/commands.mjs'
import { folderWith } from './fixture.mjs'

describe('links of documents', () => {
  it('are found outside of code', () => {
    const text = '[a](b.md) `[c](d.md)` [e](https://x.y)\n\n```md\n[f](g.md)\n```\n![h](i.svg#j)\n'
    expect(linksOf(text)).toEqual([
      { href: 'b.md', line: 1 },
      { href: 'i.svg#j', line: 6 },
    ])
  })

  it('lead to files and headings that are there', async () => {
    const from = folderWith({ 'docs/a.md': '# One `two`, three\n', 'docs/sub/b.md': '' })
    const links = ['../a.md', '../a.md#one-two-three', '/a', '#none', '../a.md#four', 'c.md']
    const texts = [
      { readme: 'docs/sub/b.md', text: links.map((href) => `[x](${href})`).join('\n') },
    ]
    const { problems, note } = await check({ from, texts })
    expect(note).toBe('6 links')
    expect(problems).toEqual([
      'docs/sub/b.md:4 #none: docs/sub/b.md has no heading #none',
      'docs/sub/b.md:5 ../a.md#four: docs/a.md has no heading #four',
      'docs/sub/b.md:6 c.md: docs/sub/c.md is not there',
    ])
  })

  it('may name headings as hosts make them', () => {
    expect(anchorsOf('## What it does not do\n### `x`: y\n')).toEqual([
      'what-it-does-not-do',
      'x-y',
    ])
  })
})

describe('command lines of documents', () => {
  it('are those of shell blocks, without comments', () => {
    const text = '```sh\nnpm i\nnpx @deepgemm/cli doctor # look\ndeepgemm cache ls\n```\n'
    expect(commandsOf(text)).toEqual([
      { line: 3, args: ['doctor'] },
      { line: 4, args: ['cache', 'ls'] },
    ])
  })
})
