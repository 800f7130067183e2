import { createHash } from 'node:crypto'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  assembleSource,
  configHeader,
  kernelSources,
  OpenUnit,
  readSourceTree,
} from '@deepgemm/jit'
import { cudaSources } from '@deepgemm/kernels'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from './support/folders.js'

function assemble(files: Record<string, string>, entry = 'entry.cu'): string {
  return assembleSource(new Map(Object.entries(files)), entry)
}

describe('assembling a source', () => {
  it('puts each included file in place once, with line directives around it', () => {
    const files = {
      'entry.cu': '#pragma once\n#include "ptx/wgmma.cuh"\n#include "types.cuh"\nint entry;\n',
      'ptx/wgmma.cuh': '#pragma once\n#include "fence.cuh"  // beside this file\nint wgmma;\n',
      'ptx/fence.cuh': '#include "types.cuh"\nint fence;\n',
      'types.cuh': 'int types;',
    }
    expect(assemble(files)).toMatchInlineSnapshot(`
      "#line 1 "entry.cu"

      #line 1 "ptx/wgmma.cuh"

      #line 1 "ptx/fence.cuh"
      #line 1 "types.cuh"
      int types;
      #line 2 "ptx/fence.cuh"
      int fence;
      #line 3 "ptx/wgmma.cuh"
      int wgmma;
      #line 3 "entry.cu"
      #line 4 "entry.cu"
      int entry;
      "
    `)
  })

  it('can leave a generated file open, and gives the same text when that is filled in', async () => {
    const files = new Map(await kernelSources())
    const header = configHeader('GemmConfig', { kStages: 4, kOrdered: true })
    for (const entry of ['entry/fp8_gemm.cu', 'entry/relayout_scales.cu']) {
      const whole = assembleSource(new Map(files).set('config.cuh', header), entry)
      const closed = new OpenUnit(files, entry, 'config.cuh').close(header)
      expect(closed.source).toBe(whole)
      expect(closed.sha256).toBe(createHash('sha256').update(whole).digest('hex'))
    }
  })

  it('finds a file beside the including one before one at the root', () => {
    const files = {
      'entry.cu': '#include "a/x.cuh"',
      'a/x.cuh': '#include "y.cuh"\n#include "../z.cuh"',
      'a/y.cuh': 'beside',
      'y.cuh': 'at the root',
      'z.cuh': 'above',
    }
    const text = assemble(files)
    expect(text).toContain('beside')
    expect(text).toContain('above')
    expect(text).not.toContain('at the root')
  })

  it.each([
    ['a block comment', '/* first\n#include "no.cuh"\n*/ int x;'],
    ['a block comment after a literal', 'char c = \'"\'; /*\n#include "no.cuh"\n*/'],
    ['a raw string', 'auto s = R"asm(\n#include "no.cuh"\n)asm";'],
    ['a line comment', '// #include "no.cuh"'],
  ])('leaves an include inside %s alone', (_, text) => {
    expect(assemble({ 'entry.cu': text })).toBe(`#line 1 "entry.cu"\n${text}\n`)
  })

  it('sees an include after comments and strings that look like openers', () => {
    const text = '// it\'s /* no comment\nauto s = "/*"; // "\n#include "x.cuh"'
    expect(assemble({ 'entry.cu': text, 'x.cuh': 'included' })).toContain('\nincluded\n')
  })

  it.each([
    ['a missing entry', {}, /kernel source "entry.cu" does not exist/],
    [
      'a missing file',
      { 'entry.cu': '\n#include "no.cuh"' },
      /entry.cu:2 includes a file that does/,
    ],
    ['a system header', { 'entry.cu': '#include <cuda.h>' }, /given <cuda.h>/],
    ['a macro as a path', { 'entry.cu': '#include WHICH' }, /through a macro/],
    ['an absolute path', { 'entry.cu': '#include "/etc/passwd"' }, /outside the kernel sources/],
    ['a path above the root', { 'entry.cu': '#include "../x.cuh"' }, /outside the kernel sources/],
    ['a Windows path', { 'entry.cu': '#include "..\\\\x.cuh"' }, /outside the kernel sources/],
    ['an include inside #if', { 'entry.cu': '#if 1\n#include "x.cuh"\n#endif' }, /inside #if/],
    [
      'a circle',
      { 'entry.cu': '#include "a.cuh"', 'a.cuh': '#include "b.cuh"', 'b.cuh': '#include "a.cuh"' },
      /a.cuh -> b.cuh -> a.cuh/,
    ],
  ])('refuses %s', (_, files, message) => {
    expect(() => assemble(files)).toThrow(message)
  })
})

describe('reading a source tree', () => {
  it('takes kernel sources by relative path and nothing else', async () => {
    const root = temporaryFolder()
    mkdirSync(join(root, 'ptx'))
    writeFileSync(join(root, 'ptx', 'a.cuh'), 'a')
    writeFileSync(join(root, 'entry.cu'), 'entry')
    writeFileSync(join(root, 'notes.md'), 'notes')
    symlinkSync('/etc/passwd', join(root, 'passwd.cuh'))
    expect([...(await readSourceTree(root))]).toEqual([
      ['entry.cu', 'entry'],
      ['ptx/a.cuh', 'a'],
    ])
  })

  it('says which folder cannot be listed', async () => {
    const missing = join(temporaryFolder(), 'no')
    await expect(readSourceTree(missing)).rejects.toThrow(/cannot be listed: given .*no .*ENOENT/)
  })

  it('refuses a file too large to be a source, and a folder with too many', async () => {
    const large = temporaryFolder()
    writeFileSync(join(large, 'large.cuh'), Buffer.alloc(4 * 2 ** 20 + 1))
    await expect(readSourceTree(large)).rejects.toThrow(/too large: given 4194305 bytes/)
    const many = temporaryFolder()
    for (let index = 0; index < 1025; index += 1) writeFileSync(join(many, `${index}.cuh`), '')
    await expect(readSourceTree(many)).rejects.toThrow(/too many kernel sources/)
  })

  it('knows where the kernels of this library are', async () => {
    const outcome = (tree: Promise<Iterable<unknown>>): Promise<unknown> =>
      tree.then((files) => [...files], String)
    expect(await outcome(kernelSources())).toEqual(await outcome(readSourceTree(cudaSources)))
  })
})
