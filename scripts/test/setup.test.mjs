import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { requireCompiler, requireNode } from '../setup/requirements.mjs'
import { folderWith } from './fixture.mjs'

describe('requirements', () => {
  it('accepts the oldest Node that is supported, and newer ones', () => {
    expect(requireNode('20.19.0')).toBe('20.19.0')
    expect(requireNode('26.0.0')).toBe('26.0.0')
  })

  it('refuses an older Node with what is needed and where it is', () => {
    expect(() => requireNode('20.18.3')).toThrow(
      /is Node 20\.18\.3; .* 20\.19 or newer.*nodejs\.org/,
    )
    expect(() => requireNode('18.20.0')).toThrow(/18\.20\.0/)
  })

  it('goes on to the next compiler when the first one cannot do C++20', async () => {
    const folder = folderWith({ old: '#!/bin/sh\necho "error: unknown -std=c++20" >&2\nexit 1\n' })
    const old = join(folder, 'old')
    chmodSync(old, 0o755)
    expect((await requireCompiler([old, 'c++'])).command).toBe('c++')
  })

  it('lists every compiler that was tried and what to install when none will do', async () => {
    const attempt = requireCompiler(['/nonexistent/g++', '/nonexistent/clang++'])
    await expect(attempt).rejects.toThrow(/g\+\+: .*ENOENT.*clang\+\+: .*apt install g\+\+/s)
  })
})
