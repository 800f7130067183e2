import { describe, expect, it } from 'vitest'
import { check as checkFormat } from '../checks/clang-format.mjs'
import { check as checkLength } from '../checks/file-length.mjs'
import { repositoryWith } from './fixture.mjs'

describe('file length', () => {
  it('accepts 350 lines and refuses 351', async () => {
    const folder = await repositoryWith({
      'fits.ts': 'x\n'.repeat(350),
      'long.cuh': 'x\n'.repeat(351),
      'long.md': 'x\n'.repeat(999),
    })
    expect((await checkLength(folder)).problems).toEqual(['long.cuh: 351 lines; at most 350'])
  })
})

describe('clang-format', () => {
  const style = { '.clang-format': 'BasedOnStyle: Google\n' }

  it('refuses a badly formatted file and names the place', async () => {
    const folder = await repositoryWith({ ...style, 'a.cpp': 'int  f( ) {return 1;}\n' })
    expect((await checkFormat(folder)).problems[0]).toMatch(/^a\.cpp:1 .*run: pnpm format/)
  })

  it('accepts a well formatted CUDA file', async () => {
    const folder = await repositoryWith({ ...style, 'a.cu': 'int f() { return 1; }\n' })
    expect(await checkFormat(folder)).toEqual({ problems: [], note: '1 files' })
  })
})
